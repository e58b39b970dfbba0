import type { Collection, Collections, Stored } from '../../shared/store/collection.ts';

/** The `sealed…` keys are encrypted at rest. */
export interface Credentials extends Stored {
  description: string;
  /** Hex SHA-256 of the OAuth client id. */
  checksum: string;
  sealedClientId: string;
  sealedClientSecret: string;
  sealedProjectId: string | null;
  sealedTokens: string | null;
}

export const credentialsStore = (stores: Collections): Promise<Collection<Credentials>> =>
  stores.collection<Credentials>({
    name: 'credentials',
    unique: ['checksum'],
    sortable: ['createdAt', 'description'],
    search: { keys: ['description'], match: 'contains' },
  });
