"""What all routes share: dependencies, parameters, bodies, responses, problems and the OpenAPI document."""
