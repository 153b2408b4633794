"""Messages of the daemon's API, made from the .proto files when the package is built."""
