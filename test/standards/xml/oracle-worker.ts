/**
 * Canonicalises with xml-crypto, in a world of its own: a package it uses cannot be loaded where the prototypes of the
 * language are frozen, as they are in the tests (`support/mocha.ts`). So it is loaded in the worker alone.
 */
import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';
import type { ExclusiveCanonicalization } from 'xml-crypto';

type Element = Parameters<ExclusiveCanonicalization['process']>[0];

interface DocumentModel {
  readonly DOMParser: new () => { parseFromString(xml: string, type: string): { documentElement: Element } };
}

if (parentPort !== null) {
  const port = parentPort;
  const { ExclusiveCanonicalization } = await import('xml-crypto');
  // The document model that xml-crypto itself uses.
  const { DOMParser } = createRequire(import.meta.resolve('xml-crypto'))('@xmldom/xmldom') as DocumentModel;
  port.on('message', (documents: readonly string[]) => {
    port.postMessage(
      documents.map((xml) => {
        const { documentElement } = new DOMParser().parseFromString(xml, 'text/xml');
        return new ExclusiveCanonicalization().process(documentElement, {});
      }),
    );
  });
}
