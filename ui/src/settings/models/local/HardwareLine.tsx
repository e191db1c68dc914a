import { Cpu, MemoryStick } from "lucide-react";
import { formatBytes } from "@/lib/format";
import { type Hardware } from "@/protocol/generated";

/** What models can run on here. */
export function HardwareLine({ hardware: { memory_bytes, available_bytes, gpus } }: { hardware: Hardware }) {
  return (
    <ul aria-label="Memory of this machine" className="flex flex-wrap gap-x-4 gap-y-1 text-sm text-muted">
      <li className="flex items-center gap-1.5 tabular-nums">
        <MemoryStick size={14} className="text-faint" aria-hidden />
        Memory: {formatBytes(available_bytes)} free of {formatBytes(memory_bytes)}
      </li>
      {gpus.map((gpu, index) => (
        <li key={index} className="flex items-center gap-1.5 tabular-nums">
          <Cpu size={14} className="text-faint" aria-hidden />
          {gpu.name}: {formatBytes(gpu.free_bytes)} free of {formatBytes(gpu.total_bytes)}
        </li>
      ))}
      {gpus.length === 0 && (
        <li className="flex items-center gap-1.5">
          <Cpu size={14} className="text-faint" aria-hidden />
          No NVIDIA GPU: models run on the processor
        </li>
      )}
    </ul>
  );
}
