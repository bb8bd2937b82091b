/**
 * `$process-message`: logs a message bundle, stores its resources in one transaction and answers with a message. The
 * same message again is answered as the first time.
 * https://hl7.org/fhir/R4/messageheader-operation-process-message.html
 */
import { createHash } from 'node:crypto';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { Caller } from '../../ports/caller.ts';
import type { Resource, TransactionWrite, WriteResult } from '../../ports/resource-store.ts';
import { namingSystemUrl } from '../../standards/fhir/canonical.ts';
import { formatJson } from '../../standards/fhir/json.ts';
import { readMessageEnvelope } from '../../standards/fhir/message-envelope.ts';
import {
  badRequest,
  badValue,
  conflict,
  FhirError,
  issue,
  operationOutcome,
  textOf,
  tooLarge,
} from '../../standards/fhir/outcome.ts';
import { isId } from '../../standards/fhir/reference.ts';
import { type ImportOrigin, importProvenance } from '../../workflow/import-provenance.ts';
import { asResource, checkValid, parseBody } from '../body.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { checkContentType, RESOURCE_TYPES } from '../preferences.ts';
import type { Services } from '../services.ts';

interface MessageEntry {
  readonly fullUrl?: string;
  readonly resource?: Resource;
}

export async function processMessage(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const { messages, store, now } = services;
  checkContentType(request.headers, RESOURCE_TYPES);
  const body = readValue(services, request);
  const reception = await messages.receive({
    id: store.newId(),
    direction: 'in',
    dialect: 'fhir',
    ...readMessageEnvelope(body.value),
    hash: createHash('sha256').update(request.body).digest(),
    raw: request.body,
    receivedAt: now(),
    mayCorrect: true,
  });
  if (reception.kind === 'duplicate' && reception.state === 'applied' && reception.answer)
    return answered(reception.answer);
  try {
    if (reception.kind === 'conflict')
      throw conflict(
        'A message with this identifier came before with other content; the first stands. Send this one under a new one',
      );
    return await apply(services, request.caller, body, reception.id);
  } catch (error) {
    if (reception.kind === 'conflict' || isFinal(error))
      await settleRefused(services, reception.id, error as FhirError);
    else await noteAttempt(services, reception.id);
    throw error;
  }
}

/** What the body says, or why it says nothing: told once the message is logged. */
interface MessageBody {
  readonly value?: unknown;
  readonly fault?: FhirError;
}

function readValue(services: Services, request: Pick<FhirRequest, 'body' | 'headers'>): MessageBody {
  try {
    return { value: parseBody(services, request) };
  } catch (error) {
    if (error instanceof FhirError) return { fault: error };
    throw error;
  }
}

/** The message is at fault, and sending it again cannot help. 409 of the store is contention, which passes. */
const isFinal = (error: unknown): error is FhirError =>
  error instanceof FhirError && error.status < 500 && error.status !== 409;

/** Best effort: the database may be what failed. */
async function noteAttempt({ messages, log }: Services, id: string): Promise<void> {
  await messages
    .failAttempt(id, 'a fault of the server: its log says which')
    .catch((error: Error) => log.warn('an attempt could not be noted', { messageId: id, cause: error.message }));
}

/** Works a logged message again. */
export async function reprocessMessage(
  services: Services,
  id: string,
  raw: Buffer,
): Promise<{ readonly id: string; readonly verdict: string; readonly answer: Buffer }> {
  const caller = serviceCaller('gateway', id);
  try {
    const { body } = await apply(services, caller, readValue(services, { body: raw, headers: headersOf(raw) }), id);
    return { id, verdict: 'applied', answer: Buffer.from(body ?? '') };
  } catch (error) {
    if (!isFinal(error)) throw error;
    await settleRefused(services, id, error);
    return { id, verdict: 'rejected', answer: Buffer.from(JSON.stringify(operationOutcome(error.issues))) };
  }
}

/** The log keeps the bytes alone; JSON never begins like XML. */
const headersOf = (raw: Buffer): FhirRequest['headers'] => ({
  'content-type': /^\s*</.test(raw.toString('utf8', 0, 64).replace(/^\uFEFF/, '')) ? 'application/fhir+xml' : undefined,
});

/** Takes back a transaction that found its message applied. */
class AppliedBefore extends Error {}

const answered = (body: Buffer): FhirAnswer => ({ status: 200, headers: {}, body: body.toString() });

async function apply(services: Services, caller: Caller, body: MessageBody, messageId: string): Promise<FhirAnswer> {
  const { header, headerPath, bundle, writes } = readMessage(services, body);
  const answer = Buffer.from(JSON.stringify(response(services, header, headerPath, bundle)));
  const applied = await services.store
    .transaction(caller, async (tx) => {
      const settle = (results: readonly WriteResult[]): Promise<void> => {
        const resources = results
          .filter(({ outcome }) => outcome !== 'unchanged')
          .map(({ version }) => `${version.type}/${version.id}/_history/${version.versionId}`);
        return tx.messages.settle(messageId, { state: 'applied', answer, resources }).then((settled) => {
          if (!settled) throw new AppliedBefore();
        });
      };
      const origin = originOf(caller, header, messageId);
      await tx.write(writes, settle, importProvenance(origin, services.now(), services.store.newId));
      return true;
    })
    .catch((error: unknown) => {
      if (error instanceof AppliedBefore) return false;
      throw error;
    });
  if (applied) return answered(answer);
  const stored = await services.messages.read(caller, messageId);
  return answered(stored.answer ?? answer);
}

/** Where what the message brings came from, for its Provenance: the one who sent it here, and what its header says. */
function originOf({ clientId, name, user }: Caller, header: Resource, messageId: string): ImportOrigin {
  const { eventCoding, eventUri } = header as { eventCoding?: { code?: string }; eventUri?: string }; // validated
  const sender =
    user?.fhirUser === undefined
      ? { identifier: { system: namingSystemUrl('client'), value: clientId ?? name } }
      : { reference: user.fhirUser };
  return { kind: eventCoding?.code ?? eventUri ?? 'message', messageId, sender };
}

async function settleRefused({ messages }: Services, id: string, { issues }: FhirError): Promise<void> {
  const [first] = issues;
  await messages.settle(id, {
    state: 'rejected',
    answer: Buffer.from(JSON.stringify(operationOutcome(issues))),
    issues,
    error: first ? textOf(first) : 'refused',
  });
}

function readMessage(
  services: Services,
  { value, fault }: MessageBody,
): {
  readonly header: Resource;
  readonly headerPath: string;
  readonly bundle: Resource;
  readonly writes: readonly TransactionWrite[];
} {
  if (fault) throw fault;
  const bundle = asResource(value, 'Bundle');
  checkValid(services, bundle, 'Bundle');
  if (bundle['type'] !== 'message') throw badValue('$process-message takes a Bundle of type message', 'Bundle.type');
  const entries = (bundle['entry'] ?? []) as readonly MessageEntry[]; // validated
  if (entries.length > services.settings.bundleEntriesMax)
    throw tooLarge(`The message has ${entries.length} entries, ${services.settings.bundleEntriesMax} are allowed`);
  const header = entries[0]?.resource;
  if (header?.resourceType !== 'MessageHeader')
    throw badRequest('The first entry of a message must be its MessageHeader', 'Bundle.entry[0].resource');

  const located = entries.map((entry, index) => locate(entry, index));
  const references = new Map<string, string>();
  located.forEach(({ path }, i) => {
    const fullUrl = entries[i]?.fullUrl;
    if (fullUrl === undefined) return;
    if (references.has(fullUrl)) throw badRequest('Two entries have the same fullUrl', `Bundle.entry[${i}].fullUrl`);
    references.set(fullUrl, path);
  });
  const writes = located.map(({ resource, id }): TransactionWrite => {
    const rewritten = services.rewriteReferences(resource, (text) => references.get(text));
    const stored = { ...rewritten, id };
    return { kind: 'update', operation: 'update', type: resource.resourceType, id, change: () => stored };
  });
  const seen = new Set<string>();
  located.forEach(({ path }, i) => {
    if (seen.has(path)) throw badRequest(`Two entries are ${path}`, `Bundle.entry[${i}]`);
    seen.add(path);
  });
  return { header, headerPath: located[0]?.path ?? '', bundle, writes };
}

/**
 * Where an entry is stored: under its own id, else under that of its fullUrl, else under one made from its content, so
 * that the same message again changes nothing and another never meets what is stored.
 */
function locate(entry: MessageEntry, index: number): { resource: Resource; id: string; path: string } {
  const { resource, fullUrl } = entry;
  if (!resource) throw new FhirError(400, [issue('required', 'The entry has no resource', `Bundle.entry[${index}]`)]);
  if (resource.resourceType === 'Parameters')
    throw badRequest('Parameters cannot be stored', `Bundle.entry[${index}].resource`);
  const given = resource['id'];
  const fromUrl = fullUrl?.startsWith('urn:uuid:') ? fullUrl.slice(9) : fullUrl?.slice(fullUrl.lastIndexOf('/') + 1);
  const id =
    typeof given === 'string'
      ? given
      : fromUrl !== undefined && isId(fromUrl)
        ? fromUrl
        : createHash('sha256').update(formatJson(entry)).digest('hex');
  return { resource, id, path: `${resource.resourceType}/${id}` };
}

/** The answering message: a MessageHeader that names the one it answers. */
function response(services: Services, header: Resource, headerPath: string, bundle: Resource): unknown {
  const identifier = (bundle['identifier'] as { value?: string } | undefined)?.value; // validated
  const id = services.store.newId();
  return {
    resourceType: 'Bundle',
    type: 'message',
    timestamp: new Date(services.now()).toISOString(),
    entry: [
      {
        fullUrl: `urn:uuid:${id}`,
        resource: {
          resourceType: 'MessageHeader',
          id,
          ...(header['eventCoding'] !== undefined && { eventCoding: header['eventCoding'] }),
          ...(header['eventUri'] !== undefined && { eventUri: header['eventUri'] }),
          source: { name: 'Mortar', endpoint: services.settings.baseUrl },
          response: {
            identifier:
              identifier !== undefined && isId(identifier) ? identifier : headerPath.slice(headerPath.indexOf('/') + 1),
            code: 'ok',
          },
          focus: [{ reference: headerPath }],
        },
      },
    ],
  };
}
