"""What all routes share: dependencies, parameters, bodies, answers, problems and the OpenAPI document."""
