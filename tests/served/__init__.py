"""The served studio: docker-compose.yml checked, and its services run as plain processes."""
