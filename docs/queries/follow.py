from pathlib import Path

from bson.json_util import dumps, loads

place = Path("models.token")
after = loads(place.read_text()) if place.exists() else None
wanted = {"operationType": 1, "documentKey": 1, "fullDocument.name": 1, "fullDocument.version": 1}
with db.models.watch([{"$project": wanted}], full_document="updateLookup", start_after=after) as changes:
    for change in changes:
        record = change.get("fullDocument") or {}
        print(change["operationType"], change["documentKey"]["_id"], record.get("version"))
        kept = Path("models.token.new")
        kept.write_text(dumps(changes.resume_token))
        kept.replace(place)
