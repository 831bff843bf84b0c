"""What running services answer when they are asked for their models, made by hand, one small answer of each kind."""

from typing import Any

VLLM: dict[str, Any] = {
    "object": "list",
    "data": [
        {
            "id": "Qwen/Qwen3-32B",
            "object": "model",
            "created": 1739935000,
            "owned_by": "vllm",
            "root": "Qwen/Qwen3-32B",
            "parent": None,
            "max_model_len": 32768,
            "permission": [{"id": "modelperm-1", "object": "model_permission", "allow_sampling": True}],
        },
        {
            "id": "sql-adapter",
            "object": "model",
            "created": 1739935000,
            "owned_by": "vllm",
            "root": "/adapters/sql",
            "parent": "Qwen/Qwen3-32B",
        },
    ],
}
OPENAI: dict[str, Any] = {
    "object": "list",
    "data": [{"id": "gpt-4o", "object": "model", "created": 1715367049, "owned_by": "system"}],
}
OPENROUTER: dict[str, Any] = {
    "data": [
        {
            "id": "anthropic/claude-sonnet-4",
            "canonical_slug": "anthropic/claude-4-sonnet-20250522",
            "hugging_face_id": "",
            "name": "Anthropic: Claude Sonnet 4",
            "created": 1747930371,
            "description": "Good at code.",
            "context_length": 200000,
            "architecture": {
                "modality": "text+image->text",
                "input_modalities": ["image", "text"],
                "output_modalities": ["text"],
                "tokenizer": "Claude",
                "instruct_type": None,
            },
            "pricing": {
                "prompt": "0.000003",
                "completion": "0.000015",
                "request": "0",
                "image": "0.0048",
                "input_cache_read": "0.0000003",
                "tiers": [{"above": 200000, "prompt": "0.000006"}],
            },
            "top_provider": {"context_length": 200000, "max_completion_tokens": 64000, "is_moderated": True},
            "per_request_limits": None,
            "supported_parameters": ["max_tokens", "reasoning", "tools"],
        }
    ]
}
MISTRAL: dict[str, Any] = {
    "object": "list",
    "data": [
        {
            "id": "mistral-large-2411",
            "object": "model",
            "created": 1755000000,
            "owned_by": "mistralai",
            "capabilities": {"completion_chat": True, "function_calling": True, "vision": False},
            "name": "mistral-large-2411",
            "description": "Large.",
            "max_context_length": 131072,
            "aliases": ["mistral-large-latest"],
            "deprecation": "2026-11-30T12:00:00Z",
            "type": "base",
        }
    ],
}
GROQ: dict[str, Any] = {
    "object": "list",
    "data": [
        {
            "id": "llama3-8b-8192",
            "object": "model",
            "created": 1693721698,
            "owned_by": "Meta",
            "active": False,
            "context_window": 8192,
            "public_apps": None,
            "max_completion_tokens": 4096,
        }
    ],
}
TOGETHER: list[dict[str, Any]] = [
    {
        "id": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "object": "model",
        "created": 1733466629,
        "type": "chat",
        "running": True,
        "display_name": "Llama 3.3 70B",
        "organization": "Meta",
        "context_length": 131072,
        "config": {"stop": ["<|eot_id|>"], "bos_token": "<|begin_of_text|>"},
        "pricing": {"hourly": 0, "input": 0.88, "output": 0.88, "base": 0, "finetune": 0},
    }
]
ANTHROPIC: dict[str, Any] = {
    "data": [
        {
            "type": "model",
            "id": "claude-sonnet-4-20250514",
            "display_name": "Claude Sonnet 4",
            "created_at": "2025-05-22T00:00:00Z",
        }
    ],
    "has_more": False,
    "first_id": "claude-sonnet-4-20250514",
    "last_id": "claude-sonnet-4-20250514",
}
LM_STUDIO: dict[str, Any] = {
    "object": "list",
    "data": [
        {
            "id": "qwen2-vl-7b-instruct",
            "object": "model",
            "type": "vlm",
            "publisher": "mlx-community",
            "arch": "qwen2_vl",
            "quantization": "4bit",
            "state": "not-loaded",
            "max_context_length": 32768,
        }
    ],
}
LM_STUDIO_NEW: dict[str, Any] = {
    "models": [
        {
            "type": "llm",
            "publisher": "google",
            "key": "google/gemma-3-12b",
            "display_name": "Gemma 3 12B",
            "architecture": "gemma3",
            "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
            "size_bytes": 8150000000,
            "loaded_instances": [{"id": "google/gemma-3-12b"}],
            "max_context_length": 131072,
            "capabilities": {"vision": True, "trained_for_tool_use": False},
            "description": None,
        }
    ]
}
LLAMA_CPP: dict[str, Any] = {
    "models": [{"name": "/models/tiny.gguf", "model": "/models/tiny.gguf", "details": {"format": "gguf"}}],
    "object": "list",
    "data": [
        {
            "id": "/models/tiny.gguf",
            "object": "model",
            "created": 1764500000,
            "owned_by": "llamacpp",
            "meta": {"n_ctx_train": 131072, "n_params": 8030261312},
            "status": {"value": "loaded", "args": ["llama-server", "--api-key", "tell-nobody"]},
        }
    ],
}
GITHUB: list[dict[str, Any]] = [
    {
        "id": "openai/gpt-4.1",
        "name": "OpenAI GPT-4.1",
        "publisher": "OpenAI",
        "summary": "Long contexts.",
        "rate_limit_tier": "high",
        "supported_input_modalities": ["text", "image"],
        "supported_output_modalities": ["text"],
        "tags": ["multipurpose"],
        "capabilities": ["streaming", "tool-calling"],
        "limits": {"max_input_tokens": 1048576, "max_output_tokens": 32768},
        "html_url": "https://models.example/openai/gpt-4-1",
    }
]
GEMINI: dict[str, Any] = {
    "models": [
        {
            "name": "models/gemini-2.5-flash",
            "version": "001",
            "displayName": "Gemini 2.5 Flash",
            "description": "Fast.",
            "inputTokenLimit": 1048576,
            "outputTokenLimit": 65536,
            "supportedGenerationMethods": ["generateContent"],
            "temperature": 1,
            "thinking": True,
        }
    ]
}
LITELLM: dict[str, Any] = {
    "data": [{"id": "fast", "object": "model", "created": 1677610602, "owned_by": "openai"}],
    "object": "list",
}
XAI: dict[str, Any] = {
    "models": [
        {
            "id": "grok-4",
            "object": "model",
            "created": 1752019200,
            "owned_by": "xai",
            "version": "1.0.0",
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "prompt_text_token_price": 30000,
            "aliases": ["grok-4-latest"],
        }
    ]
}
# As Open WebUI answers `GET /api/models` where nobody has configured a model.
OPENWEBUI: dict[str, Any] = {
    "data": [
        {
            "id": "gpt-4o",
            "object": "model",
            "created": 1715367049,
            "owned_by": "openai",
            "name": "gpt-4o",
            "openai": {"id": "gpt-4o"},
            "urlIdx": 0,
            "actions": [],
            "tags": [],
        }
    ]
}
OPENAI_MODELS: dict[str, Any] = {
    "OpenAI": OPENAI,
    "one of OpenAI": OPENAI["data"][0],
    "vLLM": VLLM,
    "OpenRouter": OPENROUTER,
    "Mistral": MISTRAL,
    "Groq": GROQ,
    "Together": TOGETHER,
    "Anthropic": ANTHROPIC,
    "LM Studio": LM_STUDIO,
    "LM Studio, newer": LM_STUDIO_NEW,
    "llama.cpp": LLAMA_CPP,
    "GitHub": GITHUB,
    "Gemini": GEMINI,
    "LiteLLM": LITELLM,
    "xAI": XAI,
    "Open WebUI": OPENWEBUI,
    "nothing": {"object": "list", "data": []},
}

_DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "3.2B",
    "quantization_level": "Q4_K_M",
}
OLLAMA_TAGS: dict[str, Any] = {
    "models": [
        {
            "name": "llama3.2:3b",
            "model": "llama3.2:3b",
            "modified_at": "2025-01-01T02:00:00.123456789+02:00",
            "size": 2019393189,
            "digest": "a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72",
            "details": _DETAILS,
        }
    ]
}
OLLAMA_NEW: dict[str, Any] = {
    "models": [
        {
            **OLLAMA_TAGS["models"][0],
            "name": "tutor:latest",
            "model": "tutor:latest",
            "details": {**_DETAILS, "parent_model": "llama3.2:3b"},
            "capabilities": ["completion", "tools", "vision"],
        },
        {
            "name": "gpt-oss:120b-cloud",
            "model": "gpt-oss:120b-cloud",
            "remote_model": "gpt-oss:120b",
            "remote_host": "https://ollama.com:443",
            "modified_at": "2025-10-01T00:00:00Z",
            "size": 384,
            "digest": "569662207105",
            "details": {"parent_model": "", "format": "", "family": "gptoss", "families": ["gptoss"]},
        },
    ]
}
OLLAMA_PS: dict[str, Any] = {
    "models": [
        {
            "name": "llama3.2:3b",
            "model": "llama3.2:3b",
            "size": 5137025024,
            "digest": "2ae6f6dd7a3d",
            "details": _DETAILS,
            "expires_at": "2025-06-04T14:38:31.83753-07:00",
            "size_vram": 5137025024,
            "context_length": 8192,
        }
    ]
}
OLLAMA_SHOW: dict[str, Any] = {
    "license": "Terms.",
    "modelfile": '# Modelfile generated by "ollama show"\n'
    "# To build a new Modelfile based on this, replace FROM with:\n"
    '# FROM tutor:latest\n\nFROM /root/.ollama/models/blobs/sha256-dde5\nTEMPLATE """{{ .Prompt }}"""\n'
    "SYSTEM Teach.\nPARAMETER temperature 0.7\n",
    "parameters": "temperature                    0.7",
    "template": "{{ .Prompt }}",
    "details": {**_DETAILS, "parent_model": "llama3.2:3b"},
    "model_info": {
        "general.architecture": "llama",
        "general.parameter_count": 3212749888,
        "llama.context_length": 131072,
        "tokenizer.ggml.tokens": None,
    },
    "capabilities": ["completion"],
    "modified_at": "2025-01-01T00:00:00Z",
}
OLLAMA: dict[str, Any] = {
    "tags": OLLAMA_TAGS,
    "newer tags": OLLAMA_NEW,
    "tags as a list": OLLAMA_NEW["models"],
    "running models": OLLAMA_PS,
    "a model that is shown": OLLAMA_SHOW,
}
