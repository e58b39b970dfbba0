/** How a process without sockets asks the gateways about theirs, as notices of the bus. */
export const socketsTopics = { ask: 'sockets.ask', answer: 'sockets.answer' } as const;

export interface SocketsAsk {
  id: string;
}

export interface SocketsAnswer extends SocketsAsk {
  connections: number;
  /** Names of joined rooms, at most 10,000, and how many more there are. */
  rooms: string[];
  more: number;
}
