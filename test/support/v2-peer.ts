/** A partner that is sent HL7 v2, with framing and parsing that are not ours: those of node-hl7-client. */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { Message, MLLPCodec } from 'node-hl7-client';

/** What a partner does with a message: the texts it answers with; nothing; or it closes the connection. */
export type PeerAct = readonly string[] | 'hang' | 'close';

export interface V2Peer {
  readonly port: number;
  /** Messages as they came, those that came again as well. */
  readonly received: string[];
  readonly connections: () => number;
  /** What it does with the n-th message that comes; AA unless told otherwise. */
  act: (message: string, n: number) => PeerAct | Promise<PeerAct>;
  stop(): Promise<void>;
}

const ack = (message: string, code: string, more: string, at: readonly [string, string]): string => {
  const [, , from = '', fromFacility = '', to = '', toFacility = ''] = message.split('\r')[0]?.split('|') ?? [];
  const [accept, application] = at;
  const head = ['MSH', '^~\\&', to, toFacility, from, fromFacility, '20260302101500', '', 'ACK', `P${Math.random()}`];
  return `${[...head, 'P', '2.5.1', '', '', accept, application].join('|')}\rMSA|${code}|${fieldOf(message, 10)}\r${more}`;
};

/** An acknowledgement of a message; `more`: segments after MSA. */
export const answer = (message: string, code = 'AA', more = ''): string => ack(message, code, more, ['', '']);

const fieldOf = (message: string, n: number): string => message.split('\r')[0]?.split('|')[n - 1] ?? '';
export const controlIdOf = (message: string): string => fieldOf(message, 10);
export const kindOf = (message: string): string => fieldOf(message, 9);

export async function startV2Peer(
  options: { readonly tls?: TlsOptions; readonly port?: number } = {},
): Promise<V2Peer> {
  const sockets = new Set<Socket>();
  let count = 0;
  const received: string[] = [];
  const serve = (socket: Socket): void => {
    count += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    const codec = new MLLPCodec('utf8', '\r');
    socket.on('data', (chunk: Buffer) => {
      if (!codec.receiveData(chunk)) return;
      const text = codec.getLastMessage();
      if (text === null) return;
      // It must be a message to others, too.
      const parsed = new Message({ text });
      if (String(parsed.get('MSH.10')) !== controlIdOf(text)) socket.destroy();
      void (async () => {
        const act = await peer.act(text, received.push(text));
        if (act === 'close') socket.destroy();
        else if (act !== 'hang') for (const one of act) codec.sendMessage(socket, one, 'utf8');
      })();
    });
  };
  const server: Server = options.tls ? createTlsServer(options.tls, serve) : createServer(serve);
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const address = server.address();
  const peer: V2Peer = {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    received,
    connections: () => count,
    act: (message) => [answer(message)],
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return peer;
}
