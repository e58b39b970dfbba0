import { createHash, randomBytes } from 'node:crypto';
import { type Collection, type Collections, Duplicate, type Stored } from '../../shared/store/collection.ts';

export interface ApiKey extends Stored {
  name: string;
  roles: ('admin' | 'user')[];
  requireSignature: boolean;
  /** Hex SHA-256 of the key: keys are random, so a plain hash is enough. */
  keyHash: string;
}

export interface AuthStore {
  keys: Collection<ApiKey>;
  byHash(keyHash: string): Promise<ApiKey | null>;
  /** Whether there was a first key, which may have been deleted since. */
  hadFirst(): Promise<boolean>;
  rememberFirst(): Promise<void>;
}

const markId = 'first';

export const newKey = (): string => `tg_${randomBytes(32).toString('base64url')}`;
export const hashKey = (key: string): string => createHash('sha256').update(key).digest('hex');

export async function authStore(stores: Collections): Promise<AuthStore> {
  const keys = await stores.collection<ApiKey>({
    name: 'api_keys',
    unique: ['keyHash'],
    sortable: ['createdAt', 'name'],
    search: { keys: ['name'], match: 'contains' },
  });
  const marks = await stores.collection<Stored>({ name: 'api_key_marks', sortable: [] });
  return {
    keys,
    byHash: async (keyHash) => (await keys.find({ keyHash }, { limit: 1 }))[0] ?? null,
    hadFirst: async () => (await marks.get(markId)) !== null,
    async rememberFirst() {
      await marks.insert({ id: markId }).catch((error: unknown) => {
        if (!(error instanceof Duplicate)) throw error;
      });
    },
  };
}
