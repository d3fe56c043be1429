"""Language models as folders that a server loads: packaged ones, GGUF files, safetensors.

May import agents/llm and search.
"""
