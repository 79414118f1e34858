import { expect, test } from 'vitest';
import { placeOfId } from './place-of-id.ts';

test.each([
  ['evt_1', '#/tenants/acme/events/evt_1'],
  ['dlv_1', '#/tenants/acme/deliveries/dlv_1'],
  ['ep_1', '#/tenants/acme/endpoints/ep_1'],
  ['rpl_1', '#/tenants/acme/replays/rpl_1'],
  ['order-7/a', '#/tenants/acme/events/order-7%2Fa'],
  ['constructor_1', '#/tenants/acme/events/constructor_1'],
])('%s is shown at %s', (id, place) => {
  expect(placeOfId('acme', id)).toBe(place);
});
