// A page opened as a file may not read other files, so the search can't show where in a page it found a word.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
