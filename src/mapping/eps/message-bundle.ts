/** A FHIR message Bundle, with its resources by type and by the URL that references name. */
import { invalidValue, requiredFieldMissing } from './fault.ts';
import { isNode, type Node, requiredList, requiredNode, stringAt } from './node.ts';
import { onlyOne } from './only.ts';

export interface BundleEntry {
  readonly fullUrl: string | undefined;
  readonly resource: Node;
  readonly resourceType: string | undefined;
}

export interface MessageBundle {
  readonly bundle: Node;
  readonly entries: readonly BundleEntry[];
  readonly byFullUrl: ReadonlyMap<string, readonly BundleEntry[]>;
  readonly messageHeader: Node;
  /** `MessageHeader.eventCoding.code`. */
  readonly eventCode: string | undefined;
}

export function readMessageBundle(bundle: Node): MessageBundle {
  const entries = requiredList(bundle, 'entry', 'Bundle').map((entry): BundleEntry => {
    const resource = requiredNode(entry, 'resource', 'Bundle.entry');
    return {
      fullUrl: stringAt(entry, 'fullUrl', 'Bundle.entry'),
      resource,
      resourceType: stringAt(resource, 'resourceType', 'Bundle.entry.resource'),
    };
  });
  const byFullUrl = new Map<string, BundleEntry[]>();
  for (const entry of entries) {
    if (entry.fullUrl === undefined) continue;
    const same = byFullUrl.get(entry.fullUrl);
    if (same) same.push(entry);
    else byFullUrl.set(entry.fullUrl, [entry]);
  }
  const messageHeader = onlyResource(entries, 'MessageHeader');
  const eventCoding = messageHeader['eventCoding'];
  const eventCode = isNode(eventCoding) ? stringAt(eventCoding, 'code', 'MessageHeader.eventCoding') : undefined;
  return { bundle, entries, byFullUrl, messageHeader, eventCode };
}

export const resourcesOf = ({ entries }: MessageBundle, type: string): readonly Node[] =>
  entries.filter(({ resourceType }) => resourceType === type).map(({ resource }) => resource);

/** The one resource of that type. */
export const resourceOf = ({ entries }: MessageBundle, type: string): Node => onlyResource(entries, type);

const onlyResource = (entries: readonly BundleEntry[], type: string): Node =>
  onlyOne(
    entries.filter(({ resourceType }) => resourceType === type),
    'Bundle.entry',
    `resource.resourceType == '${type}'`,
  ).resource;

/** The entry whose fullUrl is the reference's text, to the letter. */
export function resolve({ byFullUrl }: MessageBundle, reference: Node | undefined, path: string): Node {
  const url = stringAt(reference, 'reference', path);
  if (url === undefined) throw requiredFieldMissing(`${path}.reference`);
  return onlyOne(byFullUrl.get(url) ?? [], 'Bundle.entry', `fullUrl == '${url}'`).resource;
}

/** The resource contained in another that a `#id` reference names. */
export function resolveContained(parent: Node, reference: Node | undefined, type: string, path: string): Node {
  const name = stringAt(reference, 'reference', path);
  if (name === undefined) throw requiredFieldMissing(`${path}.reference`);
  const id = name.replace('#', '');
  const parentType = stringAt(parent, 'resourceType', path) ?? '';
  const found = requiredList(parent, 'contained', parentType).find((resource) => resource['id'] === id);
  if (found === undefined) throw invalidValue(`Contained resource with reference ${name} not found`);
  if (found['resourceType'] !== type)
    throw invalidValue(`Contained resource with reference ${name} is not of type ${type}`);
  return found;
}
