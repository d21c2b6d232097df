"""Classes of words by small lists, in lower case. No word is on two, nor are words that often mean something else, such
as "may", "march" and "second"."""

from __future__ import annotations

from collections.abc import Mapping

WORD_CLASSES: Mapping[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "months": "january february april june july august september october november december",
        "weekdays": "monday tuesday wednesday thursday friday saturday sunday",
        "numbers": "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty "
        "hundred thousand million dozen",
        "ordinals": "first third fourth fifth sixth seventh eighth ninth tenth",
        "kinship": "mother father son daughter brother sister wife husband uncle aunt cousin parents mama papa child "
        "children baby",
        "colors": "red blue green yellow white black brown gray pink purple",
        "body": "eyes eye hand hands arm arms leg legs foot hair mouth shoulder shoulders fingers neck "
        "heart knees skin",
        "time": "minute minutes hour hours day days week weeks month months year years century moment tonight "
        "today yesterday morning afternoon evening night",
        "places": "city town street county state country nation village road avenue river island valley mountain",
        "countries": "america england france germany russia china india japan italy spain cuba africa europe britain",
        "nationalities": "american english french german russian chinese british italian soviet european",
        "rooms": "room kitchen house bedroom door window floor wall bed table chair roof hall",
        "animals": "dog dogs horse horses cat bird birds fish cow cattle sheep hound snake",
        "officials": "president governor senator mayor secretary judge chairman congressman director minister",
        "soldiers": "army navy captain colonel lieutenant sergeant soldiers troops officer officers corporal",
        "school": "school college university student students teacher teachers class education courses",
        "church": "church god christ jesus christian catholic bible faith holy religious religion",
        "money": "dollar dollars cents tax taxes price prices cost costs income budget money pay",
        "sizes": "inches miles yards acres pounds tons gallons degrees inch mile",
        "speaking": "said asked replied told cried answered shouted whispered called announced declared explained",
        "thinking": "thought knew believed felt understood remembered wondered realized decided hoped imagined",
        "moving": "went came walked ran turned moved climbed drove rode fell jumped rushed returned",
        "modals": "will would can could should may might must shall",
        "pronouns": "he she they we i you him her them us me",
    }.items()
}
"""The words of each class, by name."""
