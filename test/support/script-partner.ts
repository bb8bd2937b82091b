/** A partner that takes SCRIPT over HTTPS, with answers that are not made by our own writer. */
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Issued } from '../../src/pki/certificate.ts';
import type { TestCa } from './ca.ts';

export interface Pushed {
  readonly messageId: string;
  readonly body: string;
  readonly path: string;
  readonly authorization: string | undefined;
  /** Common name of the client certificate, where one was shown and believed. */
  readonly client: string | undefined;
}

/** What it answers; `hang`: nothing; `close`: it hangs up. */
export type PartnerAct =
  | { readonly status?: number; readonly body?: string; readonly headers?: Record<string, string> }
  | 'hang'
  | 'close';

export interface ScriptPartner {
  readonly port: number;
  /** Messages as they came, those that came again as well. */
  readonly received: Pushed[];
  /** 010 unless told otherwise. */
  act: (message: Pushed) => PartnerAct;
  stop(): Promise<void>;
}

/** `content`: `<Status><Code>010</Code></Status>` */
export const scriptAnswer = (relatesTo: string, content: string, from = 'P:0300123'): string => {
  const [qualifier, address] = from.split(':');
  return `<?xml version="1.0" encoding="UTF-8"?><Message DatatypesVersion="20170715" TransportVersion="20170715" TransactionDomain="SCRIPT" TransactionVersion="20170715" StructuresVersion="20170715" ECLVersion="20170715"><Header><To Qualifier="D">6301875277001</To><From Qualifier="${qualifier}">${address}</From><MessageID>A${++answers}-${relatesTo.slice(0, 20)}</MessageID><RelatesToMessageID>${relatesTo}</RelatesToMessageID><SentTime>2026-04-20T12:00:00Z</SentTime><SenderSoftware><SenderSoftwareDeveloper>Test</SenderSoftwareDeveloper><SenderSoftwareProduct>Peer</SenderSoftwareProduct><SenderSoftwareVersionRelease>1</SenderSoftwareVersionRelease></SenderSoftware></Header><Body>${content}</Body></Message>`;
};
let answers = 0;

export const delivered = ({ messageId }: Pushed): PartnerAct => ({
  body: scriptAnswer(messageId, '<Status><Code>010</Code></Status>'),
});

export async function startScriptPartner(ca: TestCa, own: Issued = ca.server()): Promise<ScriptPartner> {
  const received: Pushed[] = [];
  const server = createServer(
    { cert: own.certificate, key: own.key, ca: ca.certificate, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const pushed = toPushed(request, Buffer.concat(chunks).toString());
        received.push(pushed);
        const act = partner.act(pushed);
        if (act === 'hang') return;
        if (act === 'close') return void request.socket.destroy();
        response.writeHead(act.status ?? 200, { 'Content-Type': 'application/xml', ...act.headers });
        response.end(act.body ?? '');
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const partner: ScriptPartner = {
    port: (server.address() as AddressInfo).port, // it listens on a port
    received,
    act: delivered,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return partner;
}

function toPushed({ url = '', headers, socket }: IncomingMessage, body: string): Pushed {
  const tls = socket as TLSSocket; // of an HTTPS server
  const name: unknown = tls.authorized ? tls.getPeerCertificate().subject?.CN : undefined;
  return {
    messageId: /<MessageID>([^<]*)/.exec(body)?.[1] ?? '',
    body,
    path: url,
    authorization: headers.authorization,
    client: typeof name === 'string' ? name : undefined,
  };
}
