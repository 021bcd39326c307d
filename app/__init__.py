"""The desktop app: a conversation with GLM-4.5V about pictures, videos and documents.

`python -m app` starts it. The model runs in a process of its own (`engine`), media,
downloads and conversions in others (`workers`); `store` keeps every word on disk; `ui`
shows values and emits what the person wants; `controller` stands between them.
Installed, the package is called `mlx_glm45v_app`: imports inside it are relative.
"""
