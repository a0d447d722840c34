// Stands for LiteRT.js, whose GPU is not what it should be: KIND is replaced by what is wrong with it. It inverts colors,
// and its tensors are of the size of the picture.
const kind = 'KIND'
let lose
export const getWebGpuDevice = () => ({ features: new Set(['shader-f16']), lost: new Promise(resolve => { lose = resolve }) })

export async function loadLiteRt() {
  if (kind === 'start') throw new Error('no memory')
}

export class Tensor {
  constructor(bytes) { this.bytes = bytes }
  async moveTo() { return this }
  async data() { return this.bytes }
  delete() {}
}

let runs = 0
export async function loadAndCompile(file, options) {
  const gpu = options.accelerator === 'webgpu', precision = options.gpuOptions?.precision
  if (gpu && kind === 'compile') throw new Error('no shader')
  const wrong = gpu && (kind === 'wrong' || (kind === 'fp16' && precision === 'fp16')) ? 3 : 0
  return {
    options,
    delete() {},
    async run([{ bytes }]) {
      if (gpu && ++runs > 1 && kind === 'run') throw new Error('out of memory')
      if (gpu && runs > 1 && kind === 'lost') lose({ message: 'unplugged' })
      return [new Tensor(bytes.map((value, i) => i % 4 === 3 ? value : Math.abs(255 - value - wrong)))]
    },
  }
}
