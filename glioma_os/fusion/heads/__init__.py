"""The heads: what turns a row of inputs into a risk. One file each, one contract."""
