/** Who is sent HL7 v2: active `Endpoint`s that name a receiver, at places the operator allows. docs/hl7v2.md "Feeds" */
import type { Caller } from '../../../ports/caller.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { Resource, ResourceStore } from '../../../ports/resource-store.ts';
import type { Feed, FeedProfile, Feeds } from '../../../ports/v2-feed.ts';
import { namingSystemUrl } from '../../../standards/fhir/canonical.ts';
import { parseJson } from '../../../standards/fhir/json.ts';
import type { SearchRequest } from '../../../standards/fhir/search/request.ts';
import { senderSystem } from '../../partners.ts';

export interface FeedEndpointOptions {
  readonly store: Pick<ResourceStore, 'search'>;
  readonly caller: Caller;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  /** `mllps://host:port`: nothing is sent anywhere else, whatever an Endpoint says. */
  readonly targets: ReadonlySet<string>;
  /** What a receiver (`GPSYS|X26`) may be sent, by its mapping file. */
  readonly sentTo?: (receiver: string) => ReadonlySet<string> | undefined;
  readonly now: Clock;
  readonly log: Log;
}

/** `Endpoint.identifier.system` of those who are sent messages: MSH-5 and MSH-6, `GPSYS|X26`. */
const RECEIVER_SYSTEM = namingSystemUrl('hl7v2-receiver');
/** Table 0076, message types, and table 0003, events: what `Endpoint.payloadType` names. */
const KIND_SYSTEMS: readonly string[] = [
  'http://terminology.hl7.org/CodeSystem/v2-0076',
  'http://terminology.hl7.org/CodeSystem/v2-0003',
];
const FEEDS_MAX = 100;
const LANES_MAX = 16;
/** A feed that is added, changed or ended is known after this long. */
const REMEMBERED_MS = 1000;

export function createFeedEndpoints(options: FeedEndpointOptions): Feeds {
  const { store, caller, searchOf, targets, now, log } = options;
  const told = new Set<string>();
  let known: { readonly until: number; readonly feeds: Promise<readonly Feed[]> } | undefined;

  async function find(): Promise<readonly Feed[]> {
    const query = `status=active&connection-type=hl7v2-mllp,hl7v2-batch&_count=${FEEDS_MAX}`;
    const { matches } = await store.search(caller, searchOf('Endpoint', query));
    return matches.flatMap(({ id, versionId, content }) => {
      const read = readFeed(id, parseJson(Buffer.from(content)) as Resource, targets, now());
      if (typeof read !== 'string') return read.map(restricted);
      const key = `${id} ${versionId}`;
      if (!told.has(key)) log.warn('an Endpoint is sent nothing', { endpoint: id, cause: read });
      if (told.size < FEEDS_MAX * 100) told.add(key);
      return [];
    });
  }

  const restricted = (feed: Feed): Feed => {
    const { receivingApplication, receivingFacility } = feed.profile;
    const fields = options.sentTo?.(`${receivingApplication}|${receivingFacility}`);
    return fields === undefined ? feed : { ...feed, profile: { ...feed.profile, fields } };
  };

  return {
    list() {
      if (known && known.until > now()) return known.feeds;
      const feeds = find();
      known = { until: now() + REMEMBERED_MS, feeds };
      feeds.catch(() => {
        known = undefined;
      });
      return feeds;
    },
  };
}

type Json = Readonly<Record<string, unknown>>;
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const referenceOf = (value: unknown): string => text((value as Json | undefined)?.['reference']);

/** The feed of an Endpoint; none where it does not ask for one; the reason where it cannot have it. */
export function readFeed(
  id: string,
  endpoint: Resource,
  targets: ReadonlySet<string>,
  at: number,
): readonly Feed[] | string {
  const identifiers = list(endpoint['identifier']);
  const receiver = identifiers.find(({ system }) => system === RECEIVER_SYSTEM);
  if (!receiver || !isDuring(endpoint['period'] as Json | undefined, at)) return [];
  const address = normaliseTarget(text(endpoint['address']));
  if (address === undefined)
    return 'its address is none of mllp://host:port, mllps://host:port, https://host/path, file:///folder';
  if (!targets.has(address)) return 'its address is not among HL7V2_FEED_TARGETS';
  const codes = list(endpoint['payloadType']).flatMap(({ coding }) => list(coding));
  const kinds = codes.filter(({ system }) => KIND_SYSTEMS.includes(text(system))).map(({ code }) => text(code));
  if (kinds.length === 0) return 'its payloadType names no message type (v2-0076) or event (v2-0003)';
  const headers = readHeaders(endpoint['header']);
  if (typeof headers === 'string') return headers;
  const [receivingApplication = '', receivingFacility = ''] = text(receiver['value']).split('|');
  const lanes = Number(headers.get('lanes') ?? '1');
  if (!Number.isInteger(lanes) || lanes < 1 || lanes > LANES_MAX) return `its header 'lanes' is not 1 to ${LANES_MAX}`;
  const dailyAt = minuteOf(headers.get('daily'));
  if (dailyAt === 'wrong') return "its header 'daily' is no time such as 02:30";
  const batch = batchOf(address);
  if (batch !== undefined && dailyAt === undefined)
    return "its header 'daily' is missing: files of messages are sent once a day";
  const profile: FeedProfile = {
    sendingApplication: headers.get('MSH-3') ?? 'MORTAR',
    sendingFacility: headers.get('MSH-4') ?? '',
    receivingApplication,
    receivingFacility,
    processingId: headers.get('MSH-11') ?? 'P',
    version: headers.get('MSH-12') ?? '2.5.1',
    acceptAcknowledgement: headers.get('MSH-15') ?? '',
    applicationAcknowledgement: headers.get('MSH-16') ?? '',
    characterSet: headers.get('MSH-18') ?? 'UNICODE UTF-8',
    kinds: new Set(kinds),
  };
  const senders = identifiers.filter(({ system }) => system === senderSystem('hl7v2')).map(({ value }) => text(value));
  const [, organizationId] =
    /^Organization\/([A-Za-z0-9.-]{1,64})$/.exec(referenceOf(endpoint['managingOrganization'])) ?? [];
  return [
    {
      id,
      profile,
      address,
      senders,
      lanes,
      ...(batch !== undefined && { batch }),
      ...(dailyAt !== undefined && { dailyAt }),
      ...(organizationId !== undefined && { organizationId }),
    },
  ];
}

const HEADERS = ['MSH-3', 'MSH-4', 'MSH-11', 'MSH-12', 'MSH-15', 'MSH-16', 'MSH-18', 'lanes', 'daily'];

/** `02:30` as a minute of the day. */
function minuteOf(time: string | undefined): number | 'wrong' | undefined {
  if (time === undefined) return undefined;
  const [, hours = '', minutes = ''] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(time) ?? [];
  return hours === '' ? 'wrong' : Number(hours) * 60 + Number(minutes);
}

/** `MSH-12: 2.4`: how this partner wants the fields of MSH. */
function readHeaders(value: unknown): ReadonlyMap<string, string> | string {
  const headers = new Map<string, string>();
  for (const line of Array.isArray(value) ? value : []) {
    const [, name = '', content = ''] = /^\s*([A-Za-z]+(?:-\d{1,2})?)\s*:\s*(.*?)\s*$/.exec(text(line)) ?? [];
    if (!HEADERS.includes(name)) return `its header names none of ${HEADERS.join(', ')}`;
    headers.set(name, content);
  }
  return headers;
}

const batchOf = (address: string): Feed['batch'] =>
  address.startsWith('https:') ? 'https' : address.startsWith('file:') ? 'folder' : undefined;

/** `mllps://host:port`, `https://host/path` or `file:///folder` in one spelling; undefined when it is none of them. */
export function normaliseTarget(address: string): string | undefined {
  if (/^(?:https|file):/i.test(address)) return normaliseBatchTarget(address);
  const [, scheme = '', host = '', port = ''] =
    /^(mllps?):\/\/([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,39}\]):(\d{1,5})\/?$/.exec(address) ?? [];
  if (host === '' || Number(port) < 1 || Number(port) > 65_535) return undefined;
  return `${scheme}://${host.toLowerCase()}:${Number(port)}`;
}

function normaliseBatchTarget(address: string): string | undefined {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || url.username !== '' || url.password !== '' || /[?#]/.test(address)) return undefined;
  if (url.protocol === 'file:' && (url.host !== '' || url.pathname === '/')) return undefined;
  return url.href;
}

function isDuring(period: Json | undefined, at: number): boolean {
  const [start, end] = [Date.parse(text(period?.['start'])), Date.parse(text(period?.['end']))];
  return !(start > at) && !(end < at);
}
