import { z } from 'zod';
import type { Caller } from '../../domain/caller.ts';
import { Refusal } from '../../domain/errors.ts';
import { publicKeyOf } from '../../signing/public-key-of.ts';
import {
  type EndpointSecrets,
  findSecrets,
  MAX_PREVIOUS_SECRETS,
  rotateSecret as rotate,
} from '../../store/endpoint-secrets.ts';
import { secretFor } from '../endpoint-input.ts';
import { ownSecret } from '../endpoint-schema.ts';
import { objectId } from '../object-id.ts';
import { defineRoute } from '../route.ts';
import { endpointNotFound } from './endpoints.ts';

const DAY_SECONDS = 86_400;

const noQuery = z.strictObject({});
const params = z.strictObject({ endpoint_id: objectId('ep') });

export const secretsSchema = z
  .object({
    secret: z
      .string()
      .describe(
        'What signs now: `whsec_…` (v1) or `whsk_…` (v1a). A `whsk_…` is a private key: callers without `endpoints:write` see `***`.',
      ),
    public_key: z.string().optional().describe('`whpk_…`: what receivers verify `v1a` with.'),
    previous: z
      .array(z.object({ secret: z.string(), expires_at: z.iso.datetime() }))
      .describe('Secrets that sign beside it until they expire, shown as `secret` is.'),
  })
  .meta({ id: 'EndpointSecrets' });

function toJson({ current, previous }: EndpointSecrets, caller: Caller): z.infer<typeof secretsSchema> {
  const publicKey = publicKeyOf(current);
  const maySign = caller.kind === 'operator' || caller.scopes.has('endpoints:write');
  const shown = (secret: string) => (maySign || publicKeyOf(secret) === null ? secret : '***');
  return {
    secret: shown(current),
    ...(publicKey === null ? {} : { public_key: publicKey }),
    previous: previous.map(({ secret, expiresAt }) => ({ secret: shown(secret), expires_at: expiresAt.toISOString() })),
  };
}

// Whoever may read endpoints may read what verifies: a receiver's own key needs no more than that to follow rotations. With v1a that is
// the public key; the private one would let it sign in our name.
export const getSecret = defineRoute({
  method: 'get',
  path: '/v1/tenants/:tenant_id/endpoints/:endpoint_id/secret',
  access: 'endpoints:read',
  summary: 'Read the signing secrets of an endpoint',
  params,
  query: noQuery,
  responses: { 200: { description: 'The secrets that sign now', schema: secretsSchema } },
  handle: async (request, context) => {
    const secrets = await findSecrets(context, request.tenant, request.params.endpoint_id);
    if (secrets === null) throw endpointNotFound();
    return { status: 200, body: toJson(secrets, request.caller) };
  },
});

export const rotateSecret = defineRoute({
  method: 'post',
  path: '/v1/tenants/:tenant_id/endpoints/:endpoint_id/secret/rotate',
  access: 'endpoints:write',
  summary: 'Give an endpoint a new signing secret; old and new sign together for the overlap',
  params,
  query: noQuery,
  body: z.strictObject({
    overlap_seconds: z
      .int()
      .min(0)
      .max(7 * DAY_SECONDS)
      .optional()
      .describe(
        `How long earlier secrets still sign, at most; a day when absent, 0: not at all. Of earlier ones ${MAX_PREVIOUS_SECRETS} sign at the most: until one has expired, another rotation is refused (409 \`too_many_secrets\`).`,
      ),
    secret: ownSecret.optional(),
  }),
  responses: { 200: { description: 'The secrets that sign now', schema: secretsSchema } },
  handle: async ({ tenant, params: { endpoint_id: id }, body, caller }, context) => {
    const overlapSeconds = body.overlap_seconds ?? DAY_SECONDS;
    const secrets = await rotate(context, tenant, id, {
      overlapSeconds,
      secretFor: (scheme, valid) => {
        if (overlapSeconds > 0 && valid.length > MAX_PREVIOUS_SECRETS) throw tooManySecrets();
        return secretFor(scheme, body.secret, valid);
      },
      actor: caller.actor,
    });
    if (secrets === null) throw endpointNotFound();
    if (secrets.mayMove) context.ringEndpoints([secrets.endpointNum]);
    return { status: 200, body: toJson(secrets, caller) };
  },
});

/** None of the secrets is dropped to make room: it was promised to sign until its moment. */
function tooManySecrets(): Refusal {
  return new Refusal(
    409,
    'too_many_secrets',
    `${MAX_PREVIOUS_SECRETS} earlier secrets of this endpoint still sign. Wait until one has expired, or rotate with an overlap of 0, which ends them all at once.`,
  );
}
