/** What the handlers of the FHIR API are given; a piece of the composition root. */
import { join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };
import { interactiveOf } from './auth/authorize/create-authorize.ts';
import { oauthUris } from './auth/oauth/discovery.ts';
import { publishedCapability } from './capability.ts';
import type { FhirParts, FhirStore } from './fhir-store.ts';
import { withProtectedParameters } from './postgres/encryption/protected-search.ts';
import type { OpenStore } from './postgres/store.ts';
import type { RestSettings, Services } from './rest/services.ts';
import { withCustomParameters, withTopics } from './standards/fhir/capability.ts';
import { createSubsetter } from './standards/fhir/elements.ts';
import { createPathPatch } from './standards/fhir/path-patch/apply.ts';
import { createReferenceRewriter } from './standards/fhir/reference-rewrite.ts';
import type { Topic } from './standards/fhir/subscription/topics.ts';
import { createXmlReader } from './standards/fhir/xml/read.ts';
import { createXmlWriter } from './standards/fhir/xml/write.ts';
import { createOfficialTerminology } from './terminology-cache.ts';

export interface Given {
  /** What the doors read and write. */
  readonly store: OpenStore;
  /** All that may be subscribed to. */
  readonly topics: () => readonly Topic[];
}

/** @param url how clients reach the server, without a trailing slash */
export function createServices(parts: FhirParts, base: FhirStore, { store, topics }: Given, url: string): Services {
  const { definitions, now, log } = parts;
  const { parameters } = base;
  const published = publishedCapability(base.official);
  return {
    store,
    unaudited: base.visible,
    audit: base.audit.trail,
    messages: store.messages,
    policy: base.policy,
    definitions,
    parameters,
    customParameters: base.customParameters,
    ...base.validation,
    subset: createSubsetter(definitions),
    xml: { read: createXmlReader(definitions), write: createXmlWriter(definitions) },
    terminology: createOfficialTerminology(join(base.dataDir, 'cache')),
    applyPathPatch: createPathPatch(definitions),
    rewriteReferences: createReferenceRewriter(definitions),
    capability: capabilityOf(base, published, topics),
    settings: restSettings(parts, url),
    now,
    log,
  };
}

/** Made anew when a posted parameter or topic comes or goes. */
function capabilityOf(
  { parameters, plain }: FhirStore,
  published: Readonly<Record<string, unknown>>,
  topics: Given['topics'],
) {
  let known: { readonly key: string; readonly statement: Readonly<Record<string, unknown>> } | undefined;
  return (): Readonly<Record<string, unknown>> => {
    const searchable = parameters.searchable();
    const canonicals = topics().map(({ url, version }) => (version === undefined ? url : `${url}|${version}`));
    const key = [...searchable.map(({ id, version }) => `${id}/${version}`), ...canonicals].join();
    if (known?.key !== key) {
      const statement = withTopics(
        withCustomParameters(
          published,
          searchable.flatMap(({ of }) => [...of.values()]),
        ),
        canonicals,
      );
      const { protection } = plain;
      known = {
        key,
        statement: protection
          ? withProtectedParameters(statement, protection, (type, code) => parameters.get(type)?.parameters.get(code))
          : statement,
      };
    }
    return known.statement;
  };
}

function restSettings({ config, baseUrl }: FhirParts, url: string): RestSettings {
  return {
    baseUrl,
    searchHandling: config.searchHandling,
    conditionalDeleteMax: config.conditionalDelete === 'multiple' ? config.conditionalDeleteMax : 1,
    pageSizeDefault: config.pageSizeDefault,
    pageSizeMax: config.pageSizeMax,
    bodyBytesMax: config.bodyBytesMax,
    bundleBytesMax: config.bundleBytesMax,
    importBytesMax: config.importBytesMax,
    bundleEntriesMax: config.bundleEntriesMax,
    messageTimeZone: config.messageTimeZone,
    epsToAsid: config.epsToAsid,
    isProduction: config.nodeEnv === 'production',
    isGraphqlSchemaShown: config.graphqlIntrospection === 'on',
    softwareVersion: packageJson.version,
    oauthUris: oauthUris({ issuer: url, interactive: interactiveOf(url) }),
  };
}
