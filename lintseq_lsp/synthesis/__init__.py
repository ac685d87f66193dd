"""LintSeq at the scale of a corpus: programs in, edit sequences out."""
