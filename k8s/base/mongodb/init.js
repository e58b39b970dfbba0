// Brings a replica set and Trigate's user about, and both to what is wanted where they are there: it may run any time.
// For mongosh, connected to the first member as root. MEMBERS: host:port, with commas between.
const { readFileSync } = require('node:fs');

const wanted = process.env.MEMBERS.split(',');
const secret = (name) => readFileSync(`/run/secrets/mongodb/${name}`, 'utf8').trim();
const notYetInitialized = 94;
const userNotFound = 11;

/** The first member begins alone; mongosh asks the one it is connected to. */
function begin() {
  try {
    db.adminCommand({ replSetGetStatus: 1 });
    return;
  } catch (error) {
    if (error.code !== notYetInitialized) throw error;
  }
  rs.initiate({ _id: 'rs0', members: [{ _id: 0, host: wanted[0] }] });
}

function awaitPrimary() {
  for (let second = 0; second < 120; second += 1) {
    if (db.hello().isWritablePrimary) return true;
    sleep(1_000);
  }
  return false;
}

/** One member at a time, as a replica set takes no more in one change. The server refuses one it cannot reach. */
function addMembers() {
  const { members } = rs.conf();
  const known = new Set(members.map(({ host }) => host));
  let id = Math.max(...members.map(({ _id }) => _id));
  for (const host of wanted.filter((name) => !known.has(name))) {
    id += 1;
    const config = rs.conf();
    config.members.push({ _id: id, host });
    config.version += 1;
    db.adminCommand({ replSetReconfig: config, maxTimeMS: 60_000 });
  }
}

function ensureUser() {
  const user = {
    pwd: secret('mongodb-password'),
    roles: [{ role: 'readWrite', db: 'trigate' }],
  };
  const trigate = db.getSiblingDB('trigate');
  try {
    trigate.runCommand({ updateUser: 'trigate', ...user });
  } catch (error) {
    if (error.code !== userNotFound) throw error;
    trigate.runCommand({ createUser: 'trigate', ...user });
  }
}

begin();
if (awaitPrimary()) {
  addMembers();
  ensureUser();
  print('the replica set is ready');
} else {
  // Another member leads: it has the members and the user from an earlier run.
  print('the first member does not lead; nothing was changed');
}
