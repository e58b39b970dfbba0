import type { Collection, Collections, Stored } from '../../shared/store/collection.ts';

/** The `sealed…` keys are encrypted at rest. Keys with a question mark are absent in records of older releases. */
export interface Credentials extends Stored {
  description: string;
  /** Hex SHA-256 of the OAuth client id. */
  checksum: string;
  sealedClientId: string;
  sealedClientSecret: string;
  sealedProjectId: string | null;
  /** JSON of `Tokens`; null: nobody authorised, or the grant has ended. */
  sealedTokens: string | null;
  pubsubSubscription?: string | null;
  /** When the access token ends. */
  tokensExpireAt?: string | null;
  /** When to renew it next; null where there are no tokens. */
  refreshAt?: string | null;
  /** Failures in a row. */
  refreshFailures?: number;
  /** When to list devices next; null where there are no tokens. */
  syncAt?: string | null;
  syncFailures?: number;
}

/** What credentials are without tokens. */
export const noTokens = {
  sealedTokens: null,
  tokensExpireAt: null,
  refreshAt: null,
  refreshFailures: 0,
  syncAt: null,
  syncFailures: 0,
};

export const sealedKeys = ['sealedClientId', 'sealedClientSecret', 'sealedProjectId', 'sealedTokens'] as const;
export type SealedKey = (typeof sealedKeys)[number];
export const sealContext = (id: string, key: SealedKey): string => `credentials/${id}/${key}`;

export const credentialsStore = (stores: Collections): Promise<Collection<Credentials>> =>
  stores.collection<Credentials>({
    name: 'credentials',
    unique: ['checksum'],
    sortable: ['createdAt', 'description', 'id'],
    search: { keys: ['description'], match: 'contains' },
    indexes: [['refreshAt'], ['syncAt'], ['pubsubSubscription']],
  });
