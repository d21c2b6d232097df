"""The channels of a convolutional network on MNIST, held against other patches and other weights."""

from nbkit.studies.image_patches.channel_choice import clear, typical, widest
from nbkit.studies.image_patches.channel_comparison import compare_channels
from nbkit.studies.image_patches.channels import CNN_TITLE, channels_of
from nbkit.studies.image_patches.figures import all_channels, channel_clusters, channels_beside_controls
from nbkit.studies.image_patches.findings import channel_findings

__all__ = [
    "CNN_TITLE",
    "all_channels",
    "channel_clusters",
    "channel_findings",
    "channels_beside_controls",
    "channels_of",
    "clear",
    "compare_channels",
    "typical",
    "widest",
]
