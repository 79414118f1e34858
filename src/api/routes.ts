import type { Route } from './route.ts';
import { listAudit } from './routes/audit.ts';
import { resetBreaker } from './routes/breaker.ts';
import { purgeDeadLetters, redriveDeadLetters } from './routes/dead-letter-actions.ts';
import { getDeadLetter, getDeadLetterStats, listDeadLetters } from './routes/dead-letters.ts';
import { getDelivery, listAttempts, listDeliveries, listEventDeliveries } from './routes/deliveries.ts';
import { cancelDelivery, retryDelivery } from './routes/delivery-actions.ts';
import { getSecret, rotateSecret } from './routes/endpoint-secrets.ts';
import { createEndpoint, deleteEndpoint, getEndpoint, listEndpoints, updateEndpoint } from './routes/endpoints.ts';
import { adoptPreset } from './routes/event-type-presets.ts';
import {
  diffEventTypeVersions,
  getEventTypeVersion,
  putEventTypeVersion,
  updateEventTypeVersion,
} from './routes/event-type-versions.ts';
import { getEventType, listEventTypes, updateEventType } from './routes/event-types.ts';
import { expungePayload, getEvent, listEvents } from './routes/events.ts';
import { testFilter } from './routes/filter-test.ts';
import { createKey, listKeys, revokeKey } from './routes/keys.ts';
import { getOwnKey } from './routes/own-key.ts';
import { listPausedKeys, resumePausedKeys } from './routes/paused-keys.ts';
import { discardRejected, getRejected, listRejected, retryRejected } from './routes/rejected-messages.ts';
import { cancelReplay, createReplay, getReplay, listReplays } from './routes/replays.ts';
import { listSetAside } from './routes/set-aside.ts';
import { createSource, deleteSource, getSource, listSources, pauseSource, resumeSource } from './routes/sources.ts';
import { getStats } from './routes/stats.ts';
import { createTenant, deleteTenant, getTenant, listTenants, updateTenant } from './routes/tenants.ts';
import { sendTestEvent } from './routes/test-event.ts';
import { validateEndpoint } from './routes/validation.ts';

/** Every call of the API but ingest, in the order of the documentation. */
export const routes: readonly Route[] = [
  ...[createTenant, listTenants, getTenant, updateTenant, deleteTenant],
  ...[createKey, listKeys, revokeKey, getOwnKey],
  ...[createEndpoint, listEndpoints, getEndpoint, updateEndpoint, deleteEndpoint],
  ...[getSecret, rotateSecret],
  ...[validateEndpoint, sendTestEvent, getStats, resetBreaker, listPausedKeys, resumePausedKeys, testFilter],
  ...[listEventTypes, getEventType, updateEventType, adoptPreset],
  ...[putEventTypeVersion, getEventTypeVersion, updateEventTypeVersion, diffEventTypeVersions],
  ...[listEvents, getEvent, listEventDeliveries, expungePayload],
  ...[listDeliveries, getDelivery, listAttempts, retryDelivery, cancelDelivery, listSetAside],
  ...[listDeadLetters, getDeadLetterStats, getDeadLetter, redriveDeadLetters, purgeDeadLetters],
  ...[createReplay, listReplays, getReplay, cancelReplay],
  ...[createSource, listSources, getSource, deleteSource, pauseSource, resumeSource],
  ...[listRejected, getRejected, retryRejected, discardRejected],
  ...[listAudit],
];
