/** The FHIR API put together from its parts; a piece of the composition root. */
import { join } from 'node:path';
import { openBulk } from './bulk.ts';
import { openClaims } from './claims.ts';
import { createDataSubjects } from './data-subjects.ts';
import { loadDemo } from './demo.ts';
import { openEps, openSignerTrust } from './eps.ts';
import { createServices } from './fhir-services.ts';
import { type FhirParts, openFhirStore } from './fhir-store.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { createIdentityDoors, type Identity } from './identity.ts';
import { asyncJob, createAsyncJobs } from './jobs/async-jobs.ts';
import { openArchive } from './keys.ts';
import { openTrySigner } from './local-spine.ts';
import { type Notices, openNotices } from './notices.ts';
import { openPharmacy } from './pharmacy.ts';
import { createCipher } from './pki/key-file.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { AuditLog } from './ports/audit.ts';
import type { Criteria, ResourceStore } from './ports/resource-store.ts';
import { createAsyncRequests } from './postgres/async-requests.ts';
import { createEpcsArchive } from './postgres/epcs-archive.ts';
import type { Pools } from './postgres/pools.ts';
import type { OpenStore } from './postgres/store.ts';
import { openProfiles } from './profiles.ts';
import { openProtection } from './protection.ts';
import { createAsyncDesk } from './rest/async-desk.ts';
import { createInteractionWorker } from './rest/async-interaction.ts';
import { createAuditApi } from './rest/audit-api.ts';
import { criteriaOf, searchOf } from './rest/criteria.ts';
import type { Door } from './rest/door.ts';
import { createFhirDoor } from './rest/fhir-handler.ts';
import type { RequestHandler } from './rest/http-server.ts';
import { reprocessMessage } from './rest/interactions/process-message.ts';
import { createRefusals } from './rest/refusals.ts';
import type { Services } from './rest/services.ts';
import type { SubscriptionSockets } from './rest/subscription-sockets.ts';
import type { SearchParameter } from './standards/fhir/search/parameter.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';
import { openSubscriptions } from './subscriptions.ts';
import { keepIndexed, keepSealed } from './upkeep.ts';
import { CLINICAL_TYPES, withIntegrity } from './workflow/clinical-integrity.ts';
import { type DispenseGuard, withDispenseGuard } from './workflow/dispensing/guarded-dispense.ts';
import type { EpsOrders } from './workflow/prescribing/eps-orders.ts';
import { createReindexWorker } from './workflow/reindex.ts';
import { createWorkflowDoors } from './workflow-doors.ts';

export interface FhirApi {
  readonly handle: RequestHandler;
  /** Websockets. */
  readonly upgrade?: SubscriptionSockets['upgrade'];
  readonly store?: OpenStore;
  readonly gateway?: Gateway;
  readonly identity?: Identity;
  readonly audit?: AuditLog;
  /** Ends what runs in the background (leases, timers, queues); the pools still work. */
  stop?(): Promise<void>;
  /** Loads the demo data; resolves to a line that says what there is now. */
  loadDemo?(): Promise<string>;
}

const FHIR_PATH = '/fhir/R4';

/** Where it rejects, nothing of what was begun goes on. */
export async function createFhirApi(parts: FhirParts): Promise<FhirApi> {
  await using stack = new AsyncDisposableStack();
  const { config, log, definitions, pools, owner, baseUrl, now, addressOf, limits } = parts;
  const url = baseUrl.slice(0, baseUrl.lastIndexOf(FHIR_PATH));
  const base = await openFhirStore(parts);
  stack.defer(base.stop);
  const { dataDir, cipher, parameters, official, beside, policy, plain, audited, validation, required } = base;
  const { trail: audit, view } = base.audit;
  // Parts that know one another: each is asked for when it is needed, and then it is there.
  const known: { identity?: Identity; gateway?: Gateway; epsOrders?: EpsOrders | undefined; guard?: DispenseGuard } =
    {};
  const subscribers = (): Identity => {
    if (!known.identity) throw new Error('nobody is known yet');
    return known.identity;
  };
  const isType = (type: string): boolean => parameters.get(type) !== undefined;
  const search = {
    searchOf: (type: string, query: string): SearchRequest => searchOf(services, type, query),
    criteriaOf: (type: string, query: string): Criteria => criteriaOf(services, type, query),
  };
  const common = { config, dataDir, url, baseUrl, definitions, pools, cipher, policy, audit, ...search, now, log };

  const referrersOf = (target: string): readonly (readonly [string, string])[] =>
    CLINICAL_TYPES.flatMap((type) =>
      [...(parameters.get(type)?.parameters.values() ?? [])]
        .filter((one) => one.type === 'reference' && refersTo(one, target))
        .map(({ code }) => [type, code] as const),
    );
  const guarded = <S extends ResourceStore>(of: S): S =>
    config.referredDelete === 'refuse' ? withIntegrity(of, { referrersOf, ...search }) : of;

  const subscriptions = openSubscriptions({ ...common, audited, plain, subscribers });
  const store = guarded(subscriptions.own(audited));
  const guardOf = (): DispenseGuard => {
    if (!known.guard) throw new Error('no pharmacy is known yet');
    return known.guard;
  };
  const isGuarded = config.collectionCodeFor.size > 0 || config.dispensingPhoto === 'required';
  const written = isGuarded ? withDispenseGuard(store, guardOf) : store;
  const services: Services = createServices(parts, base, written, url);
  const { validate, rewriteReferences } = services;
  const { profiles } = validation;
  const { profileBase } = config;
  const packagesDir = join(dataDir, 'packages');
  stack.defer(await openProfiles({ ...common, profiles, store: plain, packagesDir, profileBase, required }));
  const refusals = createRefusals({ audit, now, log });
  const subjects = createDataSubjects({
    ...common,
    store: plain,
    audited: store,
    beside,
    rids: audit.rids,
    translate: (message) => known.gateway?.translate(message),
    visits: view,
  });
  const cipherOf = (key: Buffer) => createCipher([{ number: 1, key }]);
  const book = createAsyncRequests({ ...pools, cipher, cipherOf });
  const bulk = openBulk({
    ...common,
    book,
    plain,
    store,
    validate,
    isType,
    lineBytesMax: config.bodyBytesMax,
    subset: services.subset,
    subscribers,
    stop: subjects.stop,
  });
  const checkQuery = (type: string, query: string): void => void search.criteriaOf(type, query);
  const protection = await openProtection({ ...common, owner, store: plain, checkQuery });
  stack.defer(protection.stop);
  const pharmacy = openPharmacy({
    ...common,
    store,
    visible: base.visible,
    plain,
    limits,
    findSigner: subscriptions.findSigner,
    // Notices are opened next: they ask pharmacies what waits.
    findCodeWay: (patientId) => notices.findCodeWay(patientId),
  });
  stack.defer(pharmacy.stop);
  known.guard = { ...pharmacy.guard, baseUrl };
  const { stop } = subjects;
  const notices: Notices = openNotices({ ...common, store, plain, limits, stop, digestOf: pharmacy.digestOf });
  const eps = (): EpsOrders | undefined => known.epsOrders;
  const { answers } = plain;
  const workflow = createWorkflowDoors({
    ...common,
    pharmacy,
    moreRoutes: notices.routes,
    store,
    plain,
    answers,
    eps,
    limits,
    addressOf,
  });
  const onError = (error: unknown): void => log.error('a request failed', { error });
  const identity = await createIdentityDoors({
    ...common,
    fhirBaseUrl: baseUrl,
    store,
    auditApi: (authenticate) => createAuditApi({ audit, trail: view, policy, authenticate, onError }),
    moreDoors: (authenticate) => [
      ...subjects.doors(authenticate),
      ...protection.doors(authenticate),
      ...workflow.doors(authenticate),
      ...notices.doors,
    ],
    vocabulary: { isType, isParameter: (type, name) => official.get(type)?.parameters.has(name) === true },
    addressOf,
    limits,
    refusals,
    card: parts.card,
  });
  known.identity = identity;
  stack.defer(identity.stop);
  const { authenticate } = identity;
  const door: Door = { authenticate, policy, addressOf, limits, refusals, audit };
  const judge = openSignerTrust(config, now, log);
  const messaging = { ...common, messages: store.messages, store, validate, rewriteReferences };
  const spine = openEps({ ...messaging, judge, signer: openTrySigner(config, dataDir) });
  if (spine) stack.defer(spine.stop);
  known.epsOrders = spine?.orders;
  const claims = openClaims(messaging);
  if (claims) stack.defer(claims.stop);
  const begin = (id: string): Promise<void> => plain.jobs.add([asyncJob(id)]);
  const fhir = createFhirDoor(
    {
      ...services,
      later: createAsyncDesk({ ...common, book, begin }),
      subscriptions: subscriptions.desk,
      bulk: bulk.desk,
      ...(spine && { eps: spine.desk }),
      ...(claims && { claims: claims.desk }),
      ...(judge && { judgePrescriptions: judge }),
    },
    door,
  );
  const reindexing = createReindexWorker({
    batches: plain.reindex,
    findCaller: (owner, correlationId) => subscribers().findSubscriber(owner, correlationId),
    audit,
    now,
  });
  const asyncJobs = createAsyncJobs({
    book,
    jobs: plain.jobs,
    answers,
    workers: [createInteractionWorker(fhir.dispatch, now), ...bulk.workers, reindexing],
    concurrency: 2,
    now,
    log,
  });
  known.gateway = createGateway({
    ...messaging,
    epcsArchive: createEpcsArchive({ ...pools, cipher, key: openArchive(config) }),
    door,
    reprocessFhir: (id, raw) => reprocessMessage(services, id, raw),
    queueName: await queueNameOf(pools),
    moreJobs: [
      subscriptions.jobs,
      asyncJobs,
      identity.jobs,
      pharmacy.jobs,
      notices.jobs,
      ...subjects.jobs,
      ...(spine ? [spine.jobs] : []),
      ...(claims ? [claims.jobs] : []),
    ],
    stop: subjects.stop,
    observeMessage: parts.observeMessage,
    partners: parts.partners && {
      ...parts.partners,
      authenticate: identity.authenticatePartner(parts.partners.partnerOf),
    },
  });
  await notices.start();
  stack.defer(notices.stop);
  await subscriptions.start();
  stack.defer(subscriptions.stop);
  const sockets = subscriptions.openSockets(authenticate);
  stack.defer(sockets.stop);
  const resealing = keepSealed(plain, log);
  if (resealing) stack.defer(resealing.stop);
  stack.defer(keepIndexed(plain, log).stop);
  const everything = stack.move();
  return {
    audit,
    store,
    gateway: known.gateway,
    identity,
    upgrade: sockets.upgrade,
    handle: fhir.handle,
    stop: () => everything.disposeAsync(),
    async loadDemo() {
      const text = await loadDemo(store, validate, serviceCaller('demo'), now);
      const users = await identity.loadDemoUsers();
      return [text, ...users.map(({ role, email, password }) => `${role.padEnd(13)}${email}   ${password}`)].join(
        '\n             ',
      );
    },
  };
}

const refersTo = ({ targets, onlyTargets }: SearchParameter, type: string): boolean =>
  onlyTargets.length > 0 ? onlyTargets.includes(type) : targets.includes(type);

/** Processes of one database share a queue in Redis, and no others do. */
async function queueNameOf({ reads }: Pools): Promise<string> {
  const [row] = await reads.query({
    text: "select encode(sha256(convert_to(value, 'UTF8')), 'hex') from mortar.meta where name = 'link-key'",
    values: [],
  });
  return `jobs-${String(row?.[0]).slice(0, 12)}`;
}
