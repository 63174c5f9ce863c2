import { Controller, Get, Param } from '@nestjs/common';
import { ApiFault } from '../http/fault.js';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { type Extension, EXTENSIONS, LEGACY_EXTENSIONS } from './extension-list.js';

/** Old clients ask which extensions there are before they use one. */
@Controller('v2.1/extensions')
export class ExtensionsController {
  @Get()
  list(@Call() call: ApiCall): { extensions: readonly Extension[] } {
    return { extensions: this.of(call) };
  }

  @Get(':alias')
  show(@Call() call: ApiCall, @Param('alias') alias: string): { extension: Extension } {
    const extension = this.of(call).find((each) => each.alias === alias);
    if (extension === undefined) throw new ApiFault(404, 'The resource could not be found.');
    return { extension };
  }

  private of({ context, legacy }: ApiCall): readonly Extension[] {
    authorize(context, 'os_compute_api:extensions', { projectId: null });
    return legacy ? LEGACY_EXTENSIONS : EXTENSIONS;
  }
}
