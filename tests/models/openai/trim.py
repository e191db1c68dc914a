"""Cuts OpenAI's published description of its API down to what the broker serves, for the tests with Schemathesis.

    python trim.py openai.openapi.yaml > openapi.json

Source: https://github.com/openai/openai-openapi, under the MIT licence. Only words for people are left out of what
stays. What OpenAI's own servers do and the description does not say is added: errors have the shape of its
`ErrorResponse`, completions stream, and the pieces of a stream but its last have no reason to end. Of a stream each event
is described, as Schemathesis takes it.
"""

import json
import sys

import yaml

SERVED = {
    "/chat/completions": ["post"],
    "/completions": ["post"],
    "/embeddings": ["post"],
    "/responses": ["post"],
    "/responses/{response_id}": ["get", "delete"],
    "/responses/{response_id}/cancel": ["post"],
    "/responses/{response_id}/input_items": ["get"],
    "/models": ["get"],
}
# Words for people. Under `properties` they are names of fields, and stay.
WORDS = {"description", "summary", "title", "example", "examples", "externalDocs", "x-oaiMeta"}
ERROR_SHAPE = {"$ref": "#/components/schemas/ErrorResponse"}
ERROR = {"description": "An error", "content": {"application/json": {"schema": ERROR_SHAPE}}}


def without_words(node: object, names_fields: bool = False) -> object:
    if isinstance(node, list):
        return [without_words(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: without_words(value, key == "properties" and not names_fields)
        for key, value in node.items()
        if names_fields or key not in WORDS
    }


def event(data: dict) -> dict:
    """OpenAI describes what the data of an event is, as text; the others mean the event."""
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    return {
        "type": "object",
        "required": ["data"],
        "properties": {"data": {"anyOf": [{"const": "[DONE]"}, text]}},
    }


def references(node: object) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*map(references, node.values()))
    if isinstance(node.get("$ref"), str):
        found.add(node["$ref"])
    mapping = node.get("discriminator", {})
    if isinstance(mapping, dict):
        found.update(mapping.get("mapping", {}).values())
    return found


def resolve(whole: dict, reference: str) -> object:
    found = whole
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def served(whole: dict, path: str, method: str) -> dict:
    operation = without_words(whole["paths"][path][method])
    good = operation["responses"]["200"]
    good["description"] = "As asked"
    content = good.get("content", {})
    if path == "/completions":
        content["text/event-stream"] = {"schema": content["application/json"]["schema"]}
    if "text/event-stream" in content:
        content["text/event-stream"] = {"schema": event(content["text/event-stream"]["schema"])}
    operation["responses"] = {"200": good, "default": ERROR}
    return operation


def trim(whole: dict) -> dict:
    paths = {path: {method: served(whole, path, method) for method in SERVED[path]} for path in SERVED}
    components: dict[str, dict] = {}
    wanted = references(paths)
    done: set[str] = set()
    while wanted - done:
        reference = min(wanted - done)
        done.add(reference)
        part = without_words(resolve(whole, reference))
        _, _, kind, name = reference.split("/")
        components.setdefault(kind, {})[name] = part
        wanted |= references(part)
    for name in ["CreateChatCompletionStreamResponse", "CreateCompletionResponse"]:
        fields = components["schemas"][name]["properties"]["choices"]["items"]["properties"]
        fields["finish_reason"] = {"anyOf": [fields["finish_reason"], {"type": "null"}]}
    components["securitySchemes"] = {"ApiKeyAuth": whole["components"]["securitySchemes"]["ApiKeyAuth"]}
    about = {key: whole["info"][key] for key in ("title", "version", "license")}
    return {
        "openapi": whole["openapi"],
        "info": about,
        "servers": whole["servers"],
        "security": [{"ApiKeyAuth": []}],
        "paths": paths,
        "components": components,
    }


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        whole = yaml.safe_load(file)
    json.dump(trim(whole), sys.stdout, ensure_ascii=False, indent=1, sort_keys=True)
    print()


main()
