"""The studio: turns a request into encoded pictures; knows pixels, no files and no buckets."""
