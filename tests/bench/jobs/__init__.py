"""The measured jobs: each is a process of its own, so that its CPU and memory are its own."""
