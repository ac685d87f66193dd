"""Counting words."""

import re
from collections import Counter


def words(text):
    """The words of a text, in lower case."""
    return re.findall(r"\w+", text.lower())


def count_words(text):
    """How often each word occurs."""
    counts = {}
    for word in words(text):
        counts[word] = counts.get(word, 0) + 1
    return counts


def most_common(text, number):
    """The words that occur most often."""
    return Counter(words(text)).most_common(number)


def sorted_words(text):
    """The words of a text, sorted."""
