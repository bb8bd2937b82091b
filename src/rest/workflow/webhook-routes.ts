/**
 * Pharmacy systems with an API of their own tell what they have done by signed webhooks: the secret is that of their
 * Subscription, and they act with the rights of its subscriber. MISSION M10; SECURITY IN-43; Standard Webhooks 1.0.0
 */
import { randomBytes } from 'node:crypto';
import type { Caller } from '../../ports/caller.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import { isId } from '../../standards/fhir/reference.ts';
import type { JsonSchema } from '../../standards/openapi/document.ts';
import { checkWebhook, type WebhookFault } from '../../standards/webhook/signature.ts';
import type { FindSigner } from '../../workflow/subscriptions/signer.ts';
import { type RateLimits, throttled } from '../rate-limit.ts';
import { TOKEN_ID } from './dispensing-parts.ts';
import type { SignedRequest, WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';
import { createSchemas } from './schemas.ts';

export interface WebhookParts {
  readonly findSigner: FindSigner;
  readonly limits: RateLimits;
  /** Of one event. It is read before it is known who asks. */
  readonly bodyBytesMax: number;
  readonly now: () => number;
}

/** Events, and the routes that do what they tell. */
const EVENTS: readonly { readonly type: string; readonly path: string }[] = [
  { type: 'prescription.ready', path: '/api/prescriptions/:id/ready' },
  { type: 'prescription.dispensed', path: '/api/prescriptions/dispense' },
];
/** What is compared where there is no secret, so that it takes as long. */
const NO_KEY = randomBytes(32);

export function createWebhookRoutes(
  { findSigner, limits, bodyBytesMax, now }: WebhookParts,
  routes: readonly WorkflowRoute[],
): readonly WorkflowRoute[] {
  const schemas = createSchemas();
  const events = new Map(
    EVENTS.map(({ type, path }) => {
      const route = routes.find((one) => one.method === 'POST' && one.path === path);
      if (!route) throw new Error(`there is no route ${path} for ${type}`);
      const isNamed = path.includes('/:id/');
      const check = schemas.body(dataOf(route.request?.body ?? { type: 'object' }, isNamed));
      return [type, { route, isNamed, check }] as const;
    }),
  );

  async function signedBy({ path, headers, bytes, address }: SignedRequest): Promise<Caller> {
    const { id = '' } = path;
    const signer = isId(id) ? await findSigner(id) : undefined;
    const fault = checkWebhook(signer?.key ?? NO_KEY, headers, bytes, now());
    const caller = signer && fault === undefined ? await signer.caller() : undefined;
    if (caller) return caller;
    const verdict = await limits.check('verify', `webhook ${address}`);
    if (!verdict.allowed) throw throttled(verdict);
    throw new FhirError(401, [issue('login', FAULTS[fault ?? 'altered'])], {
      cause: { rule: `webhook-${fault ?? 'ended'}` },
    });
  }

  async function handle(call: WorkflowCall): Promise<WorkflowAnswer> {
    const { type, data } = call.body as { readonly type: string; readonly data: Readonly<Record<string, unknown>> }; // as the schema says
    const event = events.get(type);
    if (!event) throw new Error('the schema names the events');
    event.check(data);
    const { prescription_id: prescriptionId, ...rest } = data;
    return event.isNamed
      ? event.route.handle({ ...call, path: { id: String(prescriptionId) }, body: rest })
      : event.route.handle({ ...call, path: {}, body: data });
  }

  return [
    {
      method: 'POST',
      path: '/api/webhooks/:id',
      summary: 'What a pharmacy system has done, signed with the secret of its Subscription; an event once',
      tag: 'Pharmacy',
      rights: ['prescriptions:dispense'],
      signedBy,
      kind: 'update',
      told: 'pharmacy-webhook',
      request: {
        body: {
          type: 'object',
          required: ['type', 'data'],
          properties: {
            type: { enum: EVENTS.map(({ type }) => type) },
            timestamp: { type: 'string', format: 'date-time' },
            data: { type: 'object', description: 'prescription_id, and what the request of the same name takes' },
          },
        },
        bodyBytesMax,
      },
      answers: {
        200: { about: 'Done, now or by this event before', schema: { type: 'object' } },
        409: { about: 'As the request of the same name answers', schema: { type: 'object' } },
        422: { about: 'The same, or the id of another event', schema: { type: 'object' } },
      },
      problems: ['pharmacy', 'patient-id', 'quantity', 'register-balance'],
      handle,
    },
  ];
}

/** Whoever has no secret is not told whether there is one. */
const FAULTS: Readonly<Record<WebhookFault, string>> = {
  missing: 'webhook-id, webhook-timestamp and webhook-signature are needed: see docs/subscriptions.md',
  altered: 'The signature is not that of this Subscription, or its rights have ended',
  old: 'The webhook is more than five minutes old, or from the future: sign it anew, with the same id',
};

/** What the route takes; with the number of the prescription, where that stands in the path. */
function dataOf(body: JsonSchema, isNamed: boolean): JsonSchema {
  if (!isNamed) return body;
  const { properties = {}, required = [] } = body as { properties?: object; required?: readonly string[] }; // of our own tables
  return {
    ...body,
    required: [...required, 'prescription_id'],
    properties: { ...properties, prescription_id: TOKEN_ID },
  };
}
