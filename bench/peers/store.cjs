'use strict';
const { readFileSync } = require('node:fs');

/**
 * The same records for every peer: from MongoDB where BENCH_MONGODB_URL names a database, else from memory
 * (BENCH_RECORDS names a JSON file with them).
 */
async function openStore() {
  return process.env.BENCH_MONGODB_URL ? openMongo(process.env.BENCH_MONGODB_URL) : openMemory();
}

function openMemory() {
  const records = JSON.parse(readFileSync(process.env.BENCH_RECORDS, 'utf8'));
  const byId = new Map(records.map((record) => [record.id, record]));
  return {
    read: async (id) => byId.get(id) ?? null,
    async list(page, itemsPerPage) {
      const items = records.slice((page - 1) * itemsPerPage, page * itemsPerPage);
      return { items, total: records.length, page, itemsPerPage };
    },
  };
}

async function openMongo(url) {
  const { MongoClient } = require('mongodb');
  const client = await new MongoClient(url).connect();
  const records = client.db().collection('peer_cameras');
  return {
    read: (id) => records.findOne({ id }, { projection: { _id: 0 } }),
    async list(page, itemsPerPage) {
      const shown = records
        .find({}, { projection: { _id: 0 } })
        .sort({ createdAt: 1, id: 1 })
        .skip((page - 1) * itemsPerPage)
        .limit(itemsPerPage);
      const [items, total] = await Promise.all([shown.toArray(), records.countDocuments({})]);
      return { items, total, page, itemsPerPage };
    },
  };
}

module.exports = { openStore };
