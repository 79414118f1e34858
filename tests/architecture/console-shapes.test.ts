import { expectTypeOf, test } from 'vitest';
import type * as Api from '../../clients/typescript/src/api.ts';
import type * as Console from '../../src/console/logic/api-shapes.ts';

/** What the console reads of an object → the object as the API describes it, from which the client is generated. `npm run typecheck` compares them. */
interface Read {
  ownKey: [Console.OwnKey, Api.OwnKey];
  tenant: [Console.Tenant, Api.Tenant];
  endpoint: [Console.Endpoint, Api.Endpoint];
  stats: [Console.EndpointStats, Api.EndpointStats];
  secrets: [Console.EndpointSecrets, Api.EndpointSecrets];
  pausedKey: [Console.PausedKey, Api.PausedKey];
  event: [Console.EventFact, Api.Event];
  delivery: [Console.Delivery, Api.Delivery];
  attempt: [Console.Attempt, Api.Attempt];
  deadLetter: [Console.DeadLetter, Api.DeadLetter];
  deadLetterStats: [Console.DeadLetterStats, Api.DeadLetterStats];
  replay: [Console.Replay, Api.Replay];
  source: [Console.Source, Api.Source];
  rejected: [Console.RejectedMessage, Api.RejectedMessage];
  rejectedInFull: [Console.RejectedMessageInFull, Api.RejectedMessageWithBytes];
  setAside: [Console.SetAside, Api.SetAsideDelivery];
  audit: [Console.AuditEntry, Api.AuditEntry];
  eventType: [Console.EventType, Api.EventType];
  key: [Console.ApiKey, Api.Key];
  newKey: [Console.NewApiKey, Api.FreshKey];
}

/** Names of those of which the API does not answer what the console reads. */
type Unlike = { [K in keyof Read]: Read[K][1] extends Read[K][0] ? never : K }[keyof Read];

test('what the console reads of the API’s answers is what the API says that it answers', () => {
  expectTypeOf<Unlike>().toBeNever();
});
