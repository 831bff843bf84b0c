// Makes the new mongod a replica set of one member and creates the database user of the service. It is run by mongosh
// with --nodb at every start, so each step must do no harm when it is repeated.
//
// The passwords are read from files, because arguments and variables are visible in `ps` and `docker inspect`.

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
  // A direct connection, because a replica set has no primary until it is initiated.
  const uri = `mongodb://root:${secret("root-password")}@${member}/?authSource=admin&directConnection=true`;
  try {
    // This connects. It is not returned directly, because mongosh would then wait for it outside this `try`.
    const connection = new Mongo(uri);
    return connection;
  } catch (error) {
    if (error.code !== AUTHENTICATION_FAILED) throw error;
    throw new Error(
      "MongoDB refuses the root password of this deployment: its data belong to other secrets, or the first " +
        "start was interrupted. Restore the volume with those secrets or, if no data must be kept, remove all volumes."
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
  // The user belongs to the service's database and has no role in others. An existing user is updated, so that a new
  // password takes effect and roles that were added by hand are removed.
  const roles = ["readWrite", "dbAdmin"].map((role) => ({ role, db: DATABASE }));
  const account = { pwd: secret("service-password"), roles };
  if (database.getUser(USER) === null) {
    database.createUser({ user: USER, ...account });
    print(`created the user ${USER}`);
  } else {
    database.updateUser(USER, account);
  }
}

const root = connectAsRoot();
initiate(root.getDB("admin"));
waitUntilWritable(root.getDB("admin"));
ensureUser(root.getDB(DATABASE));
print(`${replicaSet} is ready`);
