import { describe, expect, it } from '@jest/globals';
import type { AttachmentId } from '@novella/core';
import { ATTACHMENT, facts, mapping, SERVER, VOLUME } from '@novella/testing';
import { releaseAttachments } from './attachments.js';
import type { FlowIo } from './plan.js';

const UNHEARD = ['a'.repeat(8), 'b'.repeat(8)] as AttachmentId[];

/** What is let go at Cinder, which has two attachments of the volume to the server that nobody has told us of. */
async function released(attachmentId: AttachmentId | null) {
  const asked: unknown[] = [];
  const gone: AttachmentId[] = [];
  const volumes = {
    attachments: (_project: unknown, volume: unknown, server: unknown) => {
      asked.push([volume, server]);
      return Promise.resolve(UNHEARD);
    },
    deleteAttachment: (_project: unknown, attachment: AttachmentId) => Promise.resolve(void gone.push(attachment)),
  };
  await releaseAttachments(facts(), mapping({ attachmentId }), { volumes } as unknown as FlowIo);
  return { asked, gone };
}

describe('an attachment that is let go', () => {
  it('is looked for at Cinder by volume and server when its id was never heard (rule 3.4d)', async () => {
    expect(await released(null)).toEqual({ asked: [[VOLUME, SERVER]], gone: UNHEARD });
  });

  it('is the one whose id is known, and no other', async () => {
    expect(await released(ATTACHMENT)).toEqual({ asked: [], gone: [ATTACHMENT] });
  });
});
