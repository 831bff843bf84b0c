// Turns the fresh mongod into a replica set of one and gives the service its own user; run by mongosh with --nodb.
// Every start runs it, so each step must be harmless when it was done before.
//
// The passwords come from files: arguments and variables would show in `ps` and `docker inspect`.

const { readFileSync } = require("fs");

const { MONGO_MEMBER: member, MONGO_REPLICA_SET: replicaSet, MONGO_SECRETS_DIR: secrets } = process.env;
const USER = "modeldeck";
const DATABASE = "modeldeck";
const ALREADY_INITIALIZED = 23;
const AUTHENTICATION_FAILED = 18;
const ELECTION_TIMEOUT_MS = 60_000;

function secret(name) {
  return readFileSync(`${secrets}/${name}`, "utf8").trim();
}

function connectAsRoot() {
  // A direct connection: until it is initiated, a replica set has no primary to look for.
  const uri = `mongodb://root:${secret("root-password")}@${member}/?authSource=admin&directConnection=true`;
  try {
    // Connects at once. Not returned directly: mongosh would wait for it only outside this `try`.
    const connection = new Mongo(uri);
    return connection;
  } catch (error) {
    if (error.code !== AUTHENTICATION_FAILED) throw error;
    throw new Error(
      "MongoDB refuses the root password of this deployment: its data were made with other secrets, or its very " +
        "first start was interrupted. Bring back the volume of those secrets; without data to keep, remove all volumes."
    );
  }
}

function initiate(admin) {
  try {
    admin.runCommand({ replSetInitiate: { _id: replicaSet, members: [{ _id: 0, host: member }] } });
    print(`initiated ${replicaSet}`);
  } catch (error) {
    if (error.code !== ALREADY_INITIALIZED) throw error;
  }
}

function waitUntilWritable(admin) {
  const deadline = Date.now() + ELECTION_TIMEOUT_MS;
  while (!admin.hello().isWritablePrimary) {
    if (Date.now() > deadline) throw new Error(`${member} did not become the primary of ${replicaSet}`);
    sleep(200);
  }
}

function ensureUser(database) {
  // The user lives in the service's database and has no role elsewhere. An existing one is set again, which narrows
  // roles that were widened by hand and lets a new password take effect.
  const roles = ["readWrite", "dbAdmin"].map((role) => ({ role, db: DATABASE }));
  const account = { pwd: secret("service-password"), roles };
  if (database.getUser(USER) === null) {
    database.createUser({ user: USER, ...account });
    print(`made the user ${USER}`);
  } else {
    database.updateUser(USER, account);
  }
}

const root = connectAsRoot();
initiate(root.getDB("admin"));
waitUntilWritable(root.getDB("admin"));
ensureUser(root.getDB(DATABASE));
print(`${replicaSet} is ready`);
