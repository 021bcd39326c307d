"""A repository of the Hugging Face Hub becomes a folder of the local cache."""
