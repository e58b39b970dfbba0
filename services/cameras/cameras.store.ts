import type { Collection, Collections, Stored } from '../../shared/store/collection.ts';

export interface Camera extends Stored {
  credentialId: string | null;
  uid: string;
  /** Hex SHA-256 of uid. */
  checksum: string;
  room: string;
  name: string;
  info: Record<string, unknown> | null;
  /** The RTSP URL without user name and password, as it may be shown. */
  source: string | null;
  /** The whole of it, sealed. */
  sealedSource: string | null;
  mtx_path: string | null;
  is_enabled: boolean;
  is_persistent: boolean;
}

export const camerasStore = (stores: Collections): Promise<Collection<Camera>> =>
  stores.collection<Camera>({
    name: 'cameras',
    unique: ['mtx_path', 'checksum'],
    sortable: ['createdAt', 'name', 'room'],
    search: { keys: ['room', 'name'], match: 'contains' },
    indexes: [['credentialId']],
  });
