"""Host side: readers, normalize passes, quantizing and writers."""
