import { expect, test } from '@jest/globals';
import { FeedTokens } from './feed.tokens.ts';

const tokens = new FeedTokens('a secret of this test');
const others = new FeedTokens('another secret');
const feed = 'trigate/c1/2-1';

test('a feed publishes with a token of its own, which is of no other feed', () => {
  const token = tokens.publisher(feed);
  expect(tokens.readPublisher(token)).toBe(feed);
  expect(tokens.readPublisher(token.replace('2-1', '2-2'))).toBeNull();
  expect(others.readPublisher(token)).toBeNull();
  expect(tokens.readPublisher('nothing')).toBeNull();
});

test('what lets it publish does not let it ask for a session', () => {
  expect(tokens.isOfferer(feed, tokens.offerer(feed))).toBe(true);
  expect(tokens.isOfferer(feed, others.offerer(feed))).toBe(false);
  expect(tokens.isOfferer(feed, tokens.publisher(feed).split('.')[1] as string)).toBe(false);
});
