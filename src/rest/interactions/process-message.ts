/**
 * `$process-message`: stores the resources of a message bundle in one transaction and answers with a message.
 * https://hl7.org/fhir/R4/messageheader-operation-process-message.html
 */
import { createHash } from 'node:crypto';
import type { Resource, TransactionWrite } from '../../ports/resource-store.ts';
import { formatJson } from '../../standards/fhir/json.ts';
import { badRequest, badValue, FhirError, issue, tooLarge } from '../../standards/fhir/outcome.ts';
import { isId } from '../../standards/fhir/reference.ts';
import { checkValid, readResource } from '../body.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import type { Services } from '../services.ts';

interface MessageEntry {
  readonly fullUrl?: string;
  readonly resource?: Resource;
}

export async function processMessage(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const bundle = readResource(request, 'Bundle');
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
  const results = await services.store.transaction(request.caller, (tx) => tx.write(writes));
  const headerVersion = results[0]?.version;
  return {
    status: 200,
    headers: {},
    body: JSON.stringify(response(services, header, `${headerVersion?.type}/${headerVersion?.id}`, bundle)),
  };
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
