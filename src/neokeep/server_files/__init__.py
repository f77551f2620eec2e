"""The server's other files: configuration, certificates, plugins and licences, with every backup."""
