"""A byte-flipper over real and generated files: what is refused is refused by name, what loads is right."""
