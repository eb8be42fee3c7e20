"""The benchmark: fastrelu beside other libraries, and both beside a copy of as many bytes."""
