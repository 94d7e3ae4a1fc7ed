"""Writes cases/schedulers_more.{json,safetensors} with the real diffusers schedulers: the options that generate.py's
scheduler cases leave out, in the same form. Needs: pip install torch diffusers numpy safetensors

<case>.in.model_output, <case>.in.noise, <case>.timesteps, <case>.out.trace, <case>.out.model_input, <case>.init_noise_sigma
as in cases/schedulers.safetensors, and <case>.out.noised: add_noise of ones and <case>.in.noise[0] at every timestep.
In the .json, next to class, config and steps: timesteps (custom ones), begin (the first model call), eta, use_clipped_model_output.
"""
import json, pathlib
import numpy as np, torch
from diffusers import UnCLIPScheduler, DDPMScheduler, DDIMScheduler, HeunDiscreteScheduler, DPMSolverMultistepScheduler
import diffusers.schedulers.scheduling_unclip as U, diffusers.schedulers.scheduling_ddpm as D
import diffusers.schedulers.scheduling_ddim as I, diffusers.schedulers.scheduling_dpmsolver_multistep as M
from safetensors.numpy import save_file
import synthetic

torch.set_grad_enabled(False)
DIM = 8
SAMPLE = dict(prediction_type="sample", beta_schedule="squaredcos_cap_v2")
DPM = DPMSolverMultistepScheduler
CASES = {
    "unclip_every_step": (UnCLIPScheduler, dict(prediction_type="sample", num_train_timesteps=100), 100),
    "unclip_from_4": (UnCLIPScheduler, dict(prediction_type="sample"), 10, dict(begin=4)),
    "ddpm_sigmoid_large": (DDPMScheduler, dict(beta_schedule="sigmoid", variance_type="fixed_large", timestep_spacing="linspace"), 9),
    "ddpm_laplace": (DDPMScheduler, dict(beta_schedule="laplace", prediction_type="v_prediction", clip_sample=False), 9),
    "ddpm_learned_range": (DDPMScheduler, dict(SAMPLE, variance_type="learned_range", clip_sample_range=5.0), 9),
    "ddpm_offset": (DDPMScheduler, dict(beta_schedule="scaled_linear", steps_offset=1), 10),
    "ddpm_zero_snr": (DDPMScheduler, dict(prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False), 10),
    "ddpm_custom": (DDPMScheduler, SAMPLE, None, dict(timesteps=[990, 700, 401, 200, 33, 1])),
    "ddpm_few_training_steps": (DDPMScheduler, dict(num_train_timesteps=37, beta_end=0.2, timestep_spacing="linspace"), 11),
    "ddim_epsilon_linspace": (DDIMScheduler, dict(timestep_spacing="linspace"), 7),
    "ddim_clipped_output": (DDIMScheduler, dict(beta_schedule="scaled_linear", clip_sample_range=0.7), 7, dict(eta=1.0, use_clipped_model_output=True)),
    "ddim_zero_snr": (DDIMScheduler, dict(prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False), 8),
    "ddim_2_steps": (DDIMScheduler, SAMPLE, 2),
    "heun_v_squaredcos": (HeunDiscreteScheduler, dict(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", timestep_spacing="leading"), 8),
    "heun_leading": (HeunDiscreteScheduler, dict(beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1), 6),
    "heun_trailing_karras": (HeunDiscreteScheduler, dict(beta_schedule="scaled_linear", timestep_spacing="trailing", use_karras_sigmas=True), 7),
    "heun_exponential": (HeunDiscreteScheduler, dict(prediction_type="sample", use_exponential_sigmas=True, clip_sample=True, clip_sample_range=2.0), 6),
    "heun_custom": (HeunDiscreteScheduler, dict(), None, dict(timesteps=[901.5, 512.25, 99, 3])),
    "heun_from_4": (HeunDiscreteScheduler, dict(), 7, dict(begin=4)),
    "heun_1_step": (HeunDiscreteScheduler, dict(timestep_spacing="trailing"), 1),
    "dpm_order_1": (DPM, dict(solver_order=1), 8),
    "dpm_heun": (DPM, dict(solver_type="heun", beta_schedule="scaled_linear"), 9),
    "dpm_sde_heun": (DPM, dict(SAMPLE, algorithm_type="sde-dpmsolver++", solver_type="heun"), 9),
    "dpm_sde_order_3": (DPM, dict(algorithm_type="sde-dpmsolver++", solver_order=3, prediction_type="v_prediction"), 16),
    "dpm_order_3_long": (DPM, dict(solver_order=3, prediction_type="sample", beta_schedule="scaled_linear"), 20),
    "dpm_sigma_min": (DPM, dict(final_sigmas_type="sigma_min", lower_order_final=False, solver_order=3), 9),
    "dpm_euler_at_final": (DPM, dict(final_sigmas_type="sigma_min", euler_at_final=True), 17),
    "dpm_exponential": (DPM, dict(use_exponential_sigmas=True, prediction_type="v_prediction"), 8),
    "dpm_lu": (DPM, dict(use_lu_lambdas=True, prediction_type="sample"), 8),
    "dpm_lu_squaredcos": (DPM, dict(SAMPLE, use_lu_lambdas=True, lambda_min_clipped=-5.1), 8),
    "dpm_lambda_clipped": (DPM, dict(SAMPLE, lambda_min_clipped=-5.1), 8),
    "dpm_leading": (DPM, dict(timestep_spacing="leading", steps_offset=1), 8),
    "dpm_trailing_clipped": (DPM, dict(SAMPLE, timestep_spacing="trailing", lambda_min_clipped=-3.0), 8),
    "dpm_zero_snr": (DPM, dict(prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing"), 8),
    "dpm_karras_squaredcos": (DPM, dict(SAMPLE, use_karras_sigmas=True), 8),
    # Karras's last noise level is sigma_min: the last step changes nothing
    "dpm_karras_sigma_min": (DPM, dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, use_karras_sigmas=True, final_sigmas_type="sigma_min"), 8),
    "dpm_karras_sigma_min_long": (DPM, dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, use_karras_sigmas=True, final_sigmas_type="sigma_min"), 16),
    "dpm_karras_sigma_min_sde": (DPM, dict(SAMPLE, algorithm_type="sde-dpmsolver++", use_karras_sigmas=True, final_sigmas_type="sigma_min"), 9),
    "dpm_exponential_sigma_min": (DPM, dict(use_exponential_sigmas=True, final_sigmas_type="sigma_min", prediction_type="v_prediction"), 20),
    "dpm_lu_sigma_min": (DPM, dict(use_lu_lambdas=True, prediction_type="sample", final_sigmas_type="sigma_min"), 8),
    "dpm_custom": (DPM, dict(), None, dict(timesteps=[999, 640, 320, 80, 7])),
    "dpm_from_3": (DPM, dict(solver_order=3), 10, dict(begin=3)),
}

meta, out = {}, {}
for name, (cls, config, steps, *more) in CASES.items():
    more = more[0] if more else {}
    s = cls(**config)
    if "timesteps" in more:
        s.set_timesteps(timesteps=more["timesteps"])
    else:
        s.set_timesteps(steps)
    begin = more.get("begin", 0)
    timesteps = s.timesteps[begin:]
    n = len(timesteps)
    models = synthetic.normal(f"{name}.model", (n, 1, 2 * DIM if config.get("variance_type") == "learned_range" else DIM))
    noise = synthetic.normal(f"{name}.noise", (n, 1, DIM))
    x = torch.from_numpy(synthetic.normal(f"{name}.x", (1, DIM))) * float(s.init_noise_sigma)
    repeated = cls is DPM and len(set(timesteps.tolist())) < n  # then add_noise looks up the wrong one
    noised = [] if repeated else [s.add_noise(torch.ones(1, DIM), torch.from_numpy(noise[0]), t[None]).numpy().copy() for t in timesteps]
    if hasattr(s, "set_begin_index"):  # Lu's lambdas repeat timesteps: without it diffusers would start at the second of them
        s.set_begin_index(begin)
    trace, scaled = [x.numpy().copy()], []
    for i, t in enumerate(timesteps):
        U.randn_tensor = D.randn_tensor = I.randn_tensor = M.randn_tensor = lambda shape, **kw: torch.from_numpy(noise[i])
        scaled.append(s.scale_model_input(x, t).numpy().copy())
        kw = {k: more[k] for k in ("eta", "use_clipped_model_output") if k in more}
        if cls is UnCLIPScheduler:
            kw["prev_timestep"] = timesteps[i + 1] if i + 1 < n else None
        x = s.step(torch.from_numpy(models[i]), t, x, **kw).prev_sample
        trace.append(x.numpy().copy())
    assert np.isfinite(np.stack(trace)).all(), name
    out |= {f"{name}.in.model_output": models, f"{name}.in.noise": noise, f"{name}.timesteps": timesteps.numpy().astype(np.float32),
            f"{name}.out.trace": np.stack(trace).astype(np.float32), f"{name}.out.model_input": np.stack(scaled).astype(np.float32),
            f"{name}.init_noise_sigma": np.array([float(s.init_noise_sigma)], np.float32)}
    if noised:
        out[f"{name}.out.noised"] = np.stack(noised).astype(np.float32)
    meta[name] = {"class": cls.__name__, "steps": steps or len(more["timesteps"]), **more,
                  "config": {k: v for k, v in dict(s.config).items() if not k.startswith("_")}}
root = pathlib.Path(__file__).parent / "cases"
(root / "schedulers_more.json").write_text(json.dumps(meta, indent=2, default=str))
save_file(out, root / "schedulers_more.safetensors")
