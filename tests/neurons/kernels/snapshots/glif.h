// glif: generated from its step; see neurons/models/.
#define STATES 2  // u, spike
#define COEFFICIENTS 6  // sigmoid_gate_reset, decay, linear, gain, subtract, sigmoid_threshold
#define KEPT 0  // none
static const int granularity[] = {PER_CHANNEL, PER_CHANNEL, PER_CHANNEL, PER_STEP_CHANNEL, PER_CHANNEL, PER_CHANNEL};

INLINE void step_forward(
    vec x,
    const vec *state,
    const vec *coefficient,
    vec *output,
    vec *new_state) {
    const vec u = state[0];
    const vec spike = state[1];
    const vec sigmoid_gate_reset = coefficient[0];
    const vec decay = coefficient[1];
    const vec linear = coefficient[2];
    const vec gain = coefficient[3];
    const vec subtract = coefficient[4];
    const vec sigmoid_threshold = coefficient[5];
    // u = decay * u * (1 - c * spike) - linear + gain * x - subtract * spike
    const vec u2 = decay * u * (R(1.0) - sigmoid_gate_reset * spike) - linear + gain * x - subtract * spike;
    // spike = self.spike(u - torch.sigmoid(self.threshold))
    const vec spike2 = truth(u2 - sigmoid_threshold >= R(0.0));
    *output = spike2;
    new_state[0] = u2;
    new_state[1] = spike2;
}

INLINE void step_again(
    vec x,
    const vec *state,
    const vec *coefficient,
    vec *new_state,
    vec *kept) {
    const vec u = state[0];
    const vec spike = state[1];
    const vec sigmoid_gate_reset = coefficient[0];
    const vec decay = coefficient[1];
    const vec linear = coefficient[2];
    const vec gain = coefficient[3];
    const vec subtract = coefficient[4];
    const vec sigmoid_threshold = coefficient[5];
    // u = decay * u * (1 - c * spike) - linear + gain * x - subtract * spike
    const vec u2 = decay * u * (R(1.0) - sigmoid_gate_reset * spike) - linear + gain * x - subtract * spike;
    // spike = self.spike(u - torch.sigmoid(self.threshold))
    const vec spike2 = truth(u2 - sigmoid_threshold >= R(0.0));
    new_state[0] = u2;
    new_state[1] = spike2;
}

INLINE void step_backward(
    vec x,
    const vec *state,
    const vec *coefficient,
    const vec *kept,
    vec grad_output,
    const vec *grad_state,
    vec *grad_x,
    vec *new_grad_state,
    vec *grad_coefficient) {
    const vec u = state[0];
    const vec spike = state[1];
    const vec sigmoid_gate_reset = coefficient[0];
    const vec decay = coefficient[1];
    const vec linear = coefficient[2];
    const vec gain = coefficient[3];
    const vec subtract = coefficient[4];
    const vec sigmoid_threshold = coefficient[5];
    const vec grad_u = grad_state[0];
    const vec grad_spike = grad_state[1];
    // u = decay * u * (1 - c * spike) - linear + gain * x - subtract * spike
    const vec v1 = decay * u;
    const vec v3 = R(1.0) - sigmoid_gate_reset * spike;
    const vec u2 = v1 * v3 - linear + gain * x - subtract * spike;
    const vec v15 = (grad_output + grad_spike) * (truth(vec_abs(u2 - sigmoid_threshold) < R(0.5)) / R(1.0));
    const vec v17 = grad_u + v15;
    const vec v18 = -v17;
    const vec v25 = v17 * v3;
    const vec v26 = -(v17 * v1);
    *grad_x = v17 * gain;
    new_grad_state[0] = v25 * decay;
    new_grad_state[1] = v18 * subtract + v26 * sigmoid_gate_reset;
    grad_coefficient[0] = v26 * spike;
    grad_coefficient[1] = v25 * u;
    grad_coefficient[2] = -v17;
    grad_coefficient[3] = v17 * x;
    grad_coefficient[4] = v18 * spike;
    grad_coefficient[5] = -v15;
}
