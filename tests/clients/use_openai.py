"""Read the menu of models with OpenAI's client, and see that it shows what went wrong."""

import os

import openai

client = openai.OpenAI(base_url=f"{os.environ['URL']}/v1", api_key=os.environ["KEY"], max_retries=0)
ids = [model.id for model in client.models.list()]
assert len(ids) > 300
assert ids == sorted(ids)
for model_id in (ids[0], next(one for one in ids if "/" in one)):
    model = client.models.retrieve(model_id)
    assert (model.id, model.object) == (model_id, "model")
    assert model.created > 0
    assert model.owned_by
try:
    client.models.retrieve("no/such:model")
except openai.NotFoundError as error:
    assert "There is no such model" in str(error), error
else:
    raise AssertionError
try:
    client.with_options(api_key="mdk_wrong").models.list()
except openai.AuthenticationError as error:
    assert "A valid API key" in str(error), error
else:
    raise AssertionError
print("done")
