const fs = require("fs");
const place = "models.token";
const from = fs.existsSync(place) ? { startAfter: EJSON.parse(fs.readFileSync(place, "utf8")) } : {};
const wanted = { operationType: 1, documentKey: 1, "fullDocument.name": 1, "fullDocument.version": 1 };
const changes = db.models.watch([{ $project: wanted }], { fullDocument: "updateLookup", ...from });
while (!changes.isClosed()) {
  const change = changes.tryNext();
  if (change) {
    print(change.operationType, change.documentKey._id, change.fullDocument?.version);
    fs.writeFileSync(`${place}.new`, EJSON.stringify(changes.getResumeToken()));
    fs.renameSync(`${place}.new`, place);
  }
}
